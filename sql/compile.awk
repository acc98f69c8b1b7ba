# Makes C of the SQL files: an enum of statement names, and their texts.
# schema.sql is one text, sql_schema; in the others every statement begins with a line "-- name: some_name" and
# ends with the next one or the file. Comments are left out, so that they may say as much as they like.

function flush_statement() {
	if (name == "")
		return
	names[++count] = name
	texts[count] = text
	name = ""
	text = ""
}

function quoted(line) {
	gsub(/\\/, "\\\\", line)
	gsub(/"/, "\\\"", line)
	return "\t\"" line "\\n\"\n"
}

FNR == 1 { flush_statement(); in_schema = FILENAME ~ /schema\.sql$/ }
/^-- name: / { flush_statement(); name = $3; next }
{
	line = $0
	sub(/[ \t]*--.*$/, "", line)
	if (line ~ /^[ \t]*$/)
		next
	if (in_schema)
		schema = schema quoted(line)
	else if (name == "") {
		printf "%s:%d: SQL before the first name\n", FILENAME, FNR > "/dev/stderr"
		failed = 1
		exit 1
	} else
		text = text quoted(line)
}

END {
	if (failed)
		exit 1
	flush_statement()
	if (out == "header") {
		print "/* Made of the SQL files by sql/compile.awk. */"
		print "#ifndef STORE_SQL_GEN_H\n#define STORE_SQL_GEN_H\n"
		print "enum sql {"
		for (i = 1; i <= count; i++)
			print "\tSQL_" toupper(names[i]) ","
		print "\tSQL__MAX\n};\n"
		print "extern const char *const sql_texts[SQL__MAX];\nextern const char *const sql_names[SQL__MAX];\nextern const char sql_schema[];\n\n#endif"
	} else {
		print "/* Made of the SQL files by sql/compile.awk. */"
		print "#include \"store/sql_gen.h\"\n"
		print "const char sql_schema[] =\n" schema "\t;\n"
		print "const char *const sql_names[SQL__MAX] = {"
		for (i = 1; i <= count; i++)
			print "\t[SQL_" toupper(names[i]) "] = \"" names[i] "\","
		print "};\n\nconst char *const sql_texts[SQL__MAX] = {"
		for (i = 1; i <= count; i++)
			print "\t[SQL_" toupper(names[i]) "] =\n" texts[i] "\t,"
		print "};"
	}
}
