"""The web servers that `./dev run` can put before the gateway, each with the very configuration that etc/ ships.

What is written here is only what surrounds that file on a Debian machine (the server's own main configuration, in
miniature); in the file itself nothing changes but the values that PLACES names, and each of them must occur in it.
As root the server runs as www-data, as it does when installed, so that permissions count.
"""

import os
import pwd
import resource
import shutil

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVERS = ("lighttpd", "apache", "nginx", "apache-fcgid", "apache-cgid", "lighttpd-cgi")
MOUNTS = ("/", "/tickgate/")
USER = "www-data"
APACHE_MODULES = "/usr/lib/apache2/modules"

LIGHTTPD = """server.modules = ("mod_indexfile", "mod_access", "mod_alias", "mod_redirect")
server.document-root = "{htdocs}"
server.upload-dirs = ("{temp}")
server.bind = "127.0.0.1"
server.port = {port}
server.tag = "lighttpd"
server.feature-flags += ("server.h2proto" => "enable", "server.h2c" => "enable", "server.graceful-shutdown-timeout" => 5)
server.http-parseopts = (
    "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
    "url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
    "url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable"
)
index-file.names = ("index.php", "index.html")
url.access-deny = ("~", ".inc")
static-file.exclude-extensions = (".php", ".pl", ".fcgi")
mimetype.assign = (".html" => "text/html; charset=utf-8", ".css" => "text/css; charset=utf-8",
    ".js" => "text/javascript; charset=utf-8", ".svg" => "image/svg+xml", "" => "application/octet-stream")
{shipped}
server.modules += ("mod_dirlisting", "mod_staticfile")
"""

NGINX = """daemon off;
pid {temp}/nginx.pid;
error_log stderr warn;
worker_processes 2;
worker_rlimit_nofile {descriptors};
worker_shutdown_timeout 10s;
events {{
    worker_connections {descriptors};
}}
http {{
    types {{ text/html html; text/css css; application/javascript js; image/svg+xml svg; }}
    default_type application/octet-stream;
    charset utf-8;
    access_log off;
    sendfile on;
    gzip on;
    keepalive_requests 1000000;
    client_body_temp_path {temp}/body;
    fastcgi_temp_path {temp}/fastcgi;
    proxy_temp_path {temp}/proxy;
    scgi_temp_path {temp}/scgi;
    uwsgi_temp_path {temp}/uwsgi;
    {shipped}
}}
"""
APACHE_SITE = "<VirtualHost 127.0.0.1:{port}>\n    DocumentRoot {htdocs}\n    AllowEncodedSlashes On\n</VirtualHost>"
NGINX_SITE = "server {{ listen 127.0.0.1:{port}; root {htdocs}; include {path}; }}"

APACHE = """ServerRoot {temp}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {temp}/apache2.pid
Mutex file:{temp} default
DefaultRuntimeDir {temp}
Timeout 300
KeepAlive On
ErrorLog "|/bin/cat"
LogLevel warn
{modules}
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500
<Directory />
    Options FollowSymLinks
    AllowOverride None
    Require all denied
</Directory>
<Directory {htdocs}>
    Require all granted
</Directory>
DocumentRoot {htdocs}
DirectoryIndex index.html index.php
TypesConfig /dev/null
AddType text/html .html
AddType text/css .css
AddType text/javascript .js
AddType image/svg+xml .svg
AddDefaultCharset utf-8
{shipped}
"""
APACHE_LOADED = ("mpm_event", "authz_core", "authz_host", "alias", "dir", "mime", "env", "setenvif", "filter", "deflate",
                 "headers", "reqtimeout")


class Web:
    """A web server: what to start (`argv`), as whom (`uid`, `gid`, or None), and where it is mounted."""

    def __init__(self, server, mount, port, run_dir, find):
        self.server, self.mount, self.port, self.run_dir, self.find = server, mount, port, run_dir, find
        self.uid, self.gid = web_user()
        self.socket = os.path.join(run_dir, "fcgi.sock")
        self.temp = self.make_dir("web", 0o700)
        self.htdocs = self.make_dir("htdocs", 0o755)
        self.www = self.readable(os.path.join(HERE, "www"), "www")

    @property
    def starts_gateway(self):
        """Whether the server runs tickgate.fcgi by itself, and no FastCGI socket is wanted."""
        return self.server in ("apache-fcgid", "apache-cgid", "lighttpd-cgi")

    def make_dir(self, name, mode):
        path = os.path.join(self.run_dir, name)
        os.mkdir(path, mode)
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)
        return path

    def readable(self, path, name):
        """`path` itself, or a copy where the server's user cannot get at it (a checkout in /root)."""
        at = path
        while self.uid is not None and at != "/":
            if not os.stat(at).st_mode & 0o001:
                copy = os.path.join(self.run_dir, name)
                shutil.copytree(path, copy) if os.path.isdir(path) else shutil.copy(path, copy)
                return copy
            at = os.path.dirname(at)
        return path

    def shipped(self, name, *places):
        """Writes etc/NAME into the run directory with its places filled in; returns the path."""
        with open(os.path.join(HERE, "etc", name)) as f:
            text = f.read()
        for there, here in places:
            if there not in text:
                raise RuntimeError(f"etc/{name} does not say {there}")
            text = text.replace(there, here)
        return self.write(os.path.basename(name), text)

    def write(self, name, text):
        path = os.path.join(self.run_dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def descriptors(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return 65535 if limit == resource.RLIM_INFINITY else min(limit, 65535)

    def site(self):
        return "tickgate-site.conf" if self.mount == "/" else "tickgate.conf"

    def gateway_places(self):
        return [("/run/tickgate/fcgi.sock", self.socket), ("/usr/share/tickgate/www", self.www)]

    def argv(self, program, environment):
        """The command line, its configuration written. `program`, `environment`: tickgate.fcgi, for who starts it by himself."""
        if self.server == "lighttpd":
            return self.lighttpd(self.shipped("lighttpd/" + self.site(), *self.gateway_places()))
        if self.server == "lighttpd-cgi":
            return self.lighttpd(self.lighttpd_cgi(program, environment))
        if self.server == "nginx":
            return self.nginx()
        return self.apache(program, environment)

    def lighttpd(self, site):
        n = self.descriptors()
        files = [site, self.shipped("lighttpd/tickgate-sizing.conf", ("65535", str(n)), ("32767", str(n // 2)))]
        text = LIGHTTPD.format(htdocs=self.htdocs, temp=self.temp, port=self.port,
                               shipped="\n".join(f'include "{path}"' for path in files))
        return [self.find("lighttpd"), "-D", "-f", self.write("lighttpd.conf", text)]

    def lighttpd_cgi(self, program, environment):
        """Our settings go to the program by the environment that lighttpd gives it."""
        more = "".join(f', "{name}" => "{value}"' for name, value in environment.items())
        at_root = [('"/tickgate"', '""'), ("/tickgate/", "/")] if self.mount == "/" else []
        return self.shipped("lighttpd/tickgate-cgi.conf", ("/usr/lib/tickgate/tickgate.fcgi", "@program@"), ("/usr/share/tickgate/www", self.www),
                            ('"/tickgate.fcgi"', '"@name@"'), *at_root, ("@program@", self.readable_program(program)), ("@name@", "/tickgate.fcgi"),
                            ('"TICKGATE_GATEWAY_BASE_PATH" => "' + self.mount.rstrip("/") + '"',
                             '"TICKGATE_GATEWAY_BASE_PATH" => "' + self.mount.rstrip("/") + '"' + more))

    def nginx(self):
        listen = [("listen 80;", f"listen 127.0.0.1:{self.port};")] if self.mount == "/" else []
        path = self.shipped("nginx/" + self.site(), *self.gateway_places(), *listen)
        shipped = f"include {path};" if self.mount == "/" else NGINX_SITE.format(port=self.port, htdocs=self.htdocs, path=path)
        text = NGINX.format(temp=self.temp, descriptors=self.descriptors(), shipped=shipped)
        return [self.find("nginx"), "-e", "stderr", "-p", self.temp, "-c", self.write("nginx.conf", text)]

    def apache(self, program, environment):
        if self.server == "apache":
            listen = [("*:80", f"127.0.0.1:{self.port}")] if self.mount == "/" else []
            modules = ["proxy", "proxy_fcgi"]
            file = self.shipped("apache/" + self.site(), *self.gateway_places(), *listen)
            extra = ""
        else:
            kind = self.server.removeprefix("apache-")
            modules = [kind]
            file, extra = self.apache_cgi(kind, program, environment)
        sizing = self.shipped("apache/tickgate-sizing.conf")
        # What is shipped for conf-enabled has to reach the sites that Debian reads after it, but for one line, which docs/deploy.md
        # puts into them.
        there = APACHE_SITE.format(port=self.port, htdocs=self.htdocs) if self.mount != "/" or self.server != "apache" else ""
        load = "\n".join(f"LoadModule {m}_module {APACHE_MODULES}/mod_{m}.so" for m in (*APACHE_LOADED, *modules))
        text = APACHE.format(temp=self.temp, port=self.port, htdocs=self.htdocs, modules=load,
                             shipped=f"{extra}\nInclude {file}\nInclude {sizing}\n{there}")
        return [self.find("apache2"), "-D", "FOREGROUND", "-f", self.write("apache2.conf", text)]

    def apache_cgi(self, kind, program, environment):
        """Apache starts the program itself: our settings go to it by the environment that Apache gives it."""
        directory = os.path.dirname(self.readable_program(program))
        places = [("/usr/lib/tickgate", directory), ("/usr/share/tickgate/www", self.www)]
        if self.mount == "/":
            places.append(('Define TICKGATE_MOUNT "/tickgate/"', 'Define TICKGATE_MOUNT "/"'))
        file = self.shipped(f"apache/tickgate-{kind}.conf", *places)
        directive = "FcgidInitialEnv" if kind == "fcgid" else "SetEnv"
        extra = "\n".join(f'{directive} {name} "{value}"' for name, value in environment.items())
        if kind == "cgid":
            extra += f"\nScriptSock {self.temp}/cgid.sock"
        else:
            extra += f"\nFcgidIPCDir {self.temp}\nFcgidProcessTableFile {self.temp}/fcgid_shm"
        return file, extra

    def readable_program(self, program):
        """In a directory of its own, which Apache is told to run programs from."""
        directory = self.make_dir("bin", 0o755)
        path = os.path.join(directory, "tickgate.fcgi")
        shutil.copy(program, path)
        return path


def web_user():
    """Whom the server runs as: (uid, gid) of www-data when we are root and there is one, else ourselves (None)."""
    if os.geteuid() != 0:
        return None, None
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        return None, None
    return user.pw_uid, user.pw_gid
