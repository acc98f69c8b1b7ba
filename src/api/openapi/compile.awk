# Makes C of schemas.json and examples.json: the members of each, without the outer braces, as one text. These stand
# alone on the first and last line; white space in front of a line goes, and behind it stays what JSON needs.

function quoted(line) {
	gsub(/\\/, "&&", line)
	gsub(/"/, "\\\"", line)
	return "\t\"" line "\"\n"
}

BEGIN { print "/* Made of JSON by src/api/openapi/compile.awk. */\n#include \"api/openapi.h\"\n" }
FNR == 1 {
	if (name != "")
		print "\t;\n"
	name = FILENAME
	sub(/^.*\//, "", name)
	sub(/\.json$/, "", name)
	print "const char openapi_" name "[] ="
	next
}
/^}$/ { next }
{
	sub(/^[ \t]+/, "")
	printf "%s", quoted($0)
}
END { print "\t;" }
