//! Forms in which secrets stand in what programs print, a row each: what the form is, a text of it, and a text that looks
//! much like it and holds none. In each text all that holds `S3cre`, in whatever letters, and `12345678` is secret.
//!
//! More of the same kind is easily thought of: a row here is tried by the rules, and through the whole of the harness.
// Not every test needs all of it.
#![allow(dead_code)]

/// A form, an example of it, a near miss.
pub(crate) type Form = (&'static str, &'static str, &'static str);

/// All forms, by what writes them.
pub(crate) const FAMILIES: [&[Form]; 10] =
    [PROGRAMS, SETTINGS, COMMANDS, HEADERS, URLS, KUBERNETES, TOKENS, KEYS, LAYERS, LOGS];

/// All forms.
pub(crate) fn forms() -> impl Iterator<Item = Form> {
    FAMILIES.into_iter().flatten().copied()
}

/// Is true when a text still has a part that must not be left of it.
pub(crate) fn leaks(clean: &str) -> bool {
    let small = clean.to_lowercase();
    small.contains("s3cre") || small.contains("12345678") || clean.contains("UzNjcm") || clean.contains("MzY3JldA")
}

/// The ways in which programs print their own values.
const PROGRAMS: &[Form] = &[
    (
        "Python's dict",
        "env={'AE_API_ADMIN_TOKEN': 'S3cretS3cret', 'A': 'b'}",
        "env={'AE_API_TOKEN_FILE': '/a/b', 'A': 'b'}",
    ),
    ("Python's dict with quotes", r#"{'password': "it's S3cret", 'a': 1}"#, "{'token': None, 'a': \"it's\"}"),
    ("Python's bytes", "{'password': b'S3cretS3cret'}", "{'password': b''}"),
    (
        "Python's environ",
        "environ({'HOME': '/root', 'PGPASSWORD': 'S3cret'})",
        "environ({'HOME': '/root', 'TOKEN_COUNT': '3'})",
    ),
    (
        "Python's argv",
        "Command '['nerdctl', 'run', '--token', 'S3cretS3cret']' returned non-zero exit status 1.",
        "Command '['nerdctl', 'run', '--token-file', '/a/b']' returned non-zero exit status 1.",
    ),
    ("Python's argv with =", "['ae', '--admin-token=S3cret', 'apply']", "['ae', '--token=', 'apply']"),
    (
        "Python's dict in JSON",
        r#"{"message": "KeyError: {'password': 'S3cretS3cret'}"}"#,
        r#"{"message": "KeyError: 'password'"}"#,
    ),
    ("Python's list of tuples", "[('AE_TOKEN', 'S3cretS3cret'), ('A', 'b')]", "[('AE_PORT', '8080'), ('A', 'b')]"),
    (
        "Python's dataclass",
        "Settings(url='http://a', token='S3cret', retries=3)",
        "Settings(url='http://a', tokens=3, retries=3)",
    ),
    ("Python's attribute", "self.password = 'S3cretS3cret'", "self.password = None"),
    ("Python's item", "os.environ['AE_TOKEN'] = 'S3cret'", "os.environ['AE_TOKEN_FILE'] = '/a'"),
    ("Python's annotation", "token: str = \"S3cretS3cret\"", "token: str = \"\""),
    ("Python's nested lists", "{'tokens': ['S3cretS3cret', 'S3cretS3cret2']}", "{'tokens': []}"),
    (
        "Rust's Debug",
        r#"Config { token: "S3cretS3cret", password: Some("S3cretS3cret") }"#,
        "Config { token: None, tokens: 3 }",
    ),
    (
        "Rust's Debug with a wrapper",
        r#"Config { password: Password(Secret { inner: "S3cret" }), a: 1 }"#,
        "Config { password: Secret([REDACTED]), a: 1 }",
    ),
    (
        "Rust's Debug in lines",
        "Config {\n    token: Some(\n        \"S3cretS3cret\",\n    ),\n}",
        "Config {\n    token_path: Some(\n        \"/a/b\",\n    ),\n}",
    ),
    ("Rust's Debug of a map", r#"{"AE_TOKEN": "S3cretS3cret"}"#, r#"{"AE_TOKEN": ""}"#),
    ("Rust's Debug of pairs", r#"[("AE_TOKEN", "S3cretS3cret")]"#, r#"[("AE_PORT", "8080")]"#),
    (
        "Rust's arguments",
        r#"Command { args: ["ae", "--token", "S3cret"] }"#,
        r#"Command { args: ["ae", "--verbose"] }"#,
    ),
    ("Ruby's hash", r#":password=>"S3cretS3cret""#, ":password=>nil"),
    ("Ruby's hash of strings", r#"{"password"=>"S3cretS3cret", "a"=>1}"#, r#"{"password"=>nil, "a"=>1}"#),
    ("Ruby's object", r#"#<Config:0x000 @token="S3cretS3cret">"#, "#<Config:0x000 @token=nil>"),
    ("Go's %+v", "{User:hub Password:S3cretS3cret Port:4222}", "{User:hub TokenFile:/a/b Port:4222}"),
    ("Go's %#v", r#"main.Config{User:"hub", Token:"S3cretS3cret"}"#, r#"main.Config{User:"hub", Token:""}"#),
    ("Go's map", "map[password:S3cretS3cret user:hub]", "map[ports:8080 user:hub]"),
    ("Java's record", "Config[user=hub, password=S3cretS3cret]", "Config[user=hub, tokens=3]"),
    ("Java's toString", "Config{token='S3cretS3cret', user='hub'}", "Config{token=null, user='hub'}"),
    ("Java's map", "{password=S3cretS3cret, user=hub}", "{password=null, user=hub}"),
    ("Java's properties", "spring.datasource.password=S3cretS3cret", "spring.datasource.url=a"),
    (
        "JavaScript's object",
        "{ user: 'hub', clientSecret: 'S3cretS3cret' }",
        "{ user: 'hub', clientSecret: undefined }",
    ),
    ("PHP's array", "['password' => 'S3cretS3cret', 'a' => 1]", "['password' => null, 'a' => 1]"),
    ("PHP's print", "[password] => S3cretS3cret", "[ports] => 3"),
    ("PHP's dump", "[\"password\"]=>\n  string(12) \"S3cretS3cret\"", "[\"user\"]=>\n  string(3) \"hub\""),
    ("Lua's and HCL's", r#"password = "S3cretS3cret""#, r#"password = """#),
    ("Elixir's and Erlang's", r#"%{password: "S3cretS3cret", user: "hub"}"#, "%{password: nil, user: \"hub\"}"),
    ("Python's login", "requests.get(url, auth=('hub', 'S3cretS3cret'))", "sorted(keys, key=('hub', 'S3'))"),
    ("Python's login in a dict", "{'auth': ('hub', 'S3cretS3cret')}", "{'pair': ('hub', 'x')}"),
    ("Python's login by a class", "HTTPBasicAuth('hub', 'S3cretS3cret')", "HTTPError('hub', 'is away')"),
    ("Python's comparison", "if password == 'S3cretS3cret':", "if password == expected:"),
    (
        "Python's default",
        "token = token or 'S3cret'; password = 'S3cretS3cret'",
        "password = os.environ['DB_PASSWORD']",
    ),
    ("a type by its name", "Token { inner: \"S3cretS3cret\" }", "Token { kind: \"Ident\" }"),
    ("a type's value", "Token(S3cretS3cret)", "load_token(path)\n"),
    (
        "a wrapped value beside a user",
        "Url { user: \"a\", password: Some(\"S3cret\") }",
        "Url { user: \"a\", port: Some(80) }",
    ),
    ("Ruby's default", "ENV[\"TOKEN\"] ||= \"S3cret\"", "ENV[\"TOKENS\"] ||= \"\""),
    ("R's arrow", "token <- \"S3cret\"", "token <- NULL"),
    ("Go's bytes", "token := []byte(\"S3cretS3cret\")", "token := os.Getenv(\"TOKEN\")"),
    ("a command that Rust prints", "\"ae\" \"--token\" \"S3cretS3cret\"", "\"ae\" \"--token-file\" \"/a/b\""),
    ("a call", "client.set_password(\"S3cretS3cret\")", "client.set_password(value)"),
    ("XML's element", "<user>hub</user><password>S3cretS3cret</password>", "<user>hub</user><password></password>"),
    ("XML's attribute", r#"<db user="hub" password="S3cretS3cret"/>"#, r#"<db user="hub" password=""/>"#),
    ("XML's pair", r#"<add key="AE_TOKEN" value="S3cretS3cret"/>"#, r#"<add key="AE_PORT" value="8080"/>"#),
];

/// Files of settings, and environments.
const SETTINGS: &[Form] = &[
    ("an environment", "AE_API_ADMIN_TOKEN=S3cretS3cret", "AE_API_ADMIN_TOKEN="),
    ("a short one", "PASSWORD=S3cre", "PASSWORD=$PASSWORD"),
    ("a number", "PASSWORD=12345678", "PASSWORD_LENGTH=12345"),
    ("an environment with NUL", "A=b\0AE_TOKEN=S3cretS3cret\0C=d", "A=b\0AE_TOKEN=\0C=d"),
    ("MYSQL_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD=S3cret", "MYSQL_ROOT_HOST=db"),
    ("db_password", "db_password=\"S3cretS3cret\"", "db_passwords=3"),
    ("userPassword", "userPassword: S3cret", "userPasswordPolicy: strict"),
    ("rootpw", "rootpw S3cretS3cret", "rootpath /a/b"),
    ("a phrase with a line", "pass_phrase=S3cretS3cret", "pass_count=3"),
    ("another language's", "mot_de_passe=S3cret", "mot_de_la_fin=x"),
    ("a key of Fernet's", "AIRFLOW__CORE__FERNET_KEY=S3cret", "SEC_WEBSOCKET_KEY=x"),
    ("a default of a shell's", "${TOKEN:-S3cretS3cret}", "TOKEN=${TOKEN:-}"),
    ("MYSQL_PWD", "MYSQL_PWD=S3cretS3cret", "PWD=/root"),
    ("SECRET_KEY_BASE", "SECRET_KEY_BASE=S3cretS3cret", "SECRET_NAME=base"),
    ("a name that goes on", "TOKEN_OF_THE_HUB=S3cretS3cret", "TOKEN_OF_THE_HUB=hub"),
    ("a name with a number", "TOKEN_1=S3cretS3cret", "TOKEN_1="),
    ("a private key by name", "AE_SIGNING_KEY=S3cretS3cret", "AE_PUBLIC_KEY=age1ql3z7hjy54pw"),
    ("a key in a file", "AE_SIGNING_KEY=S3cretS3cret.pem", "AE_SIGNING_KEY=ci.pem make gates"),
    ("a passphrase", "PASSPHRASE='S3cret and more'", "PASSPHRASE=''"),
    ("a value with a quotation mark", "PASSWORD=ab\"S3cretS3cret", "PASSWORD=\"\""),
    ("a value with an apostrophe", "PASSWORD=ab'S3cretS3cret", "PASSWORD=''"),
    ("a value with marks", "PASSWORD=ab&S3cret;x,S3cret)y", "PORTS=a&b;x,c)y"),
    ("a value with an equals sign", "TOKEN=ab=S3cret==", "A=b==c"),
    ("a shell's quotes", r"PASSWORD='ab'\''S3cret'", r"NAME='ab'\''cd'"),
    ("a shell's quotes within quotes", r#"PASSWORD='ab'"'"'S3cret'"#, r#"NAME='ab'"'"'cd'"#),
    ("a shell's export", "export TOKEN = S3cretS3cret", "export TOKENS = 3"),
    ("a shell's declare", "declare -x AE_TOKEN=\"S3cretS3cret\"", "declare -x AE_NAME=\"hub\""),
    ("a shell's set", "set AE_TOKEN=S3cretS3cret", "set -e"),
    ("lines", "A_PASSWORD='S3cret\nS3cret'\nb", "A_NAME='a\nb'\nb"),
    ("ini", "password = S3cretS3cret", "password = "),
    ("ini with words", "[a]\npassword = correct S3cret horse\nuser = hub", "[a]\npasswords = 3\nuser = hub"),
    ("toml", "token = 'S3cretS3cret'", "token = ''"),
    ("toml's lines", "token = \"\"\"\nS3cretS3cret\n\"\"\"", "text = \"\"\"\nwords\n\"\"\""),
    ("toml's inline table", "auth = { user = \"hub\", password = \"S3cret\" }", "auth = { user = \"hub\" }"),
    ("WireGuard", "PrivateKey = S3cretS3cretS3cret=", "PublicKey = abcdefabcdef="),
    ("yaml", "user: hub\npassword: S3cretS3cret\n", "user: hub\npassword:\n"),
    ("yaml with words", "password: correct S3cret horse", "password: must not be empty"),
    ("yaml with a comment", "password: S3cret # the hub's", "passwords: 3 # the hub's"),
    ("yaml with a mark", "password: !S3cret", "password: ~"),
    ("yaml of Ansible", "password: !vault |\n  $ANSIBLE_VAULT;1.1\n  S3cret\nuser: a", "tags: !list |\n  a\nuser: a"),
    ("yaml folded", "token: >-\n  S3cretS3cret\n", "text: >-\n  words\n"),
    ("yaml's block", "a:\n  token: |\n    S3cret\n\n    S3cret\n  b: c\n", "a:\n  text: |\n    words\n  b: c\n"),
    ("yaml's flow", "{user: hub, password: S3cretS3cret}", "{user: hub, password: null}"),
    ("yaml's list", "tokens:\n  - S3cretS3cret\n  - S3cret\nb: c\n", "names:\n  - a\n  - b\n"),
    (
        "yaml's list without indentation",
        "passwords:\n- S3cretS3cret\n- 'S3cret'\nb: c\n",
        "secrets:\n- name: regcred\n",
    ),
    ("yaml's anchor", "token: &a S3cretS3cret\nb: *a\n", "text: &a b\nb: *a\n"),
    ("yaml's comment", "password:  # of the hub\n  S3cretS3cret\n", "passwords:  # of the hub\n"),
    ("yaml's options", "args:\n- --token\n- S3cretS3cret\n- --x\n", "args:\n- --token\n- --x\n"),
    ("yaml's flow on its own", "token: {value: S3cretS3cret}", "token: {type: string}"),
    ("yaml's flow of several", "tokens: [S3cretS3cret, S3cretS3cret2]", "tokens: [admin, read-only]"),
    ("a user's pass", "users: [{user: a, pass: S3cret}]", "results: [{name: a, pass: 3}]"),
    ("NATS' user", r#"CONNECT {"user":"a","pass":"S3cret"}"#, r#"{"suite":"a","pass":"all"}"#),
    ("a line by itself", "password \"S3cret\"", "secret \"hub\" created"),
    ("HCL's pair", "name = \"TOKEN\"\nvalue = \"S3cret\"", "name = \"PORT\"\nvalue = \"80\""),
    ("yaml nested", "token:\n  value: S3cretS3cret\n  expires: never\n", "token:\n  secretName: hub\n"),
    ("yaml quoted", "  admin_token: \"S3cretS3cret\"", "  admin_token: \"\""),
    ("NATS", "authorization { user: a, password: S3cretS3cret }", "authorization { user: a, timeout: 2 }"),
    ("NATS in lines", "authorization {\n  token: \"S3cretS3cret\"\n}", "authorization {\n  timeout: 2\n}"),
    ("nginx", "proxy_set_header Authorization \"Basic S3cretS3cret\";", "proxy_set_header Host \"hub\";"),
    ("redis", "requirepass S3cretS3cret", "requirepass is not set"),
    ("JSON", r#"{"admin_token": "S3cret", "ok": true}"#, r#"{"admin_token": null, "ok": true}"#),
    ("JSON's number", r#"{"password": 12345678, "ok": true}"#, r#"{"tokens": 12, "ok": true}"#),
    (
        "JSON's plural lists",
        r#"{"tokens": ["S3cretS3cret"], "passwords": ["S3cretS3cret"]}"#,
        r#"{"tokens": [], "passwords": 2}"#,
    ),
    (
        "JSON nested",
        r#"{"token": {"value": "S3cretS3cret"}}"#,
        r#"{"token": {"type": "string", "title": "Agent Token"}}"#,
    ),
    (
        "JSON nested deeper",
        r#"{"credentials": {"hub": {"user": "x", "data": ["S3cret"]}}}"#,
        r#"{"names": {"hub": ["a"]}}"#,
    ),
    ("JSON cut off", r#"{"ok": true, "admin_token": "S3cretS3"#, r#"{"ok": true, "admin_token": ""#),
    ("JSON lines", "{\"a\": 1}\n{\"token\": \"S3cret\"}\n", "{\"a\": 1}\n{\"b\": \"c\"}\n"),
    (
        "a key as members",
        r#"{"kty": "EC", "crv": "P-256", "x": "abc", "d": "S3cretS3cret"}"#,
        r#"{"crv": "P-256", "d": "2 days ago"}"#,
    ),
    ("npmrc", "//registry/:_authToken=S3cretS3cret", "//registry/:always-auth=true"),
    ("netrc", "machine ghcr.io login hub password S3cret", "machine ghcr.io login hub"),
    ("pgpass", "db.local:5432:k1s:hub:S3cret", "10.0.0.1:5432"),
    ("htpasswd", "hub:$2y$05$S3cretS3cretS3cretS3cretS3cretS3cretS3cretS3cretS3", "hub: costs $2"),
    ("connection string", "Server=db;User=hub;Password=S3cret;Port=1", "Server=db;User=hub;Port=1"),
    ("libpq", "host=db user=hub password='S3cret x' port=1", "host=db user=hub port=1"),
    ("Azure", "AccountName=a;AccountKey=S3cretS3cret==;EndpointSuffix=b", "AccountName=a;EndpointSuffix=b"),
    (
        "AWS's file",
        "aws_access_key_id = AKIAS3CRES3CRETS3CRE\naws_secret_access_key = S3cret/S3cret",
        "region = eu-1\noutput = json",
    ),
];

/// Command lines.
const COMMANDS: &[Form] = &[
    ("an option", "ae --token S3cretS3cret apply", "ae --token-file /a/b apply"),
    ("a short value", "ae --password S3cre apply", "ae --password-stdin apply"),
    ("a value that begins with a dash", "ae --token -S3cretS3cret apply", "ae --token --verbose apply"),
    ("a value that begins with two", "ae --token --S3cretS3cret apply", "ae --token --dry-run apply"),
    ("an option with =", "ae --token=S3cret apply", "ae --token=$TOKEN apply"),
    ("an option in quotation marks", "ae --password 'S3 cret S3cret' apply", "ae --password '' apply"),
    ("a list of JSON", r#"["ae", "--token", "S3cret", "apply"]"#, r#"["ae", "--verbose", "apply"]"#),
    ("a list of JSON in lines", "[\n  \"--api-key\",\n  \"S3cret\"\n]", "[\n  \"--api-url\",\n  \"a\"\n]"),
    ("two lines of ps", "root 1 ae --admin-token S3cret\nroot 2 sh", "root 1 ae --verbose\nroot 2 sh"),
    ("a login", "nerdctl login -u hub -p S3cret ghcr.io", "nerdctl run -p 8080:80 caddy"),
    (
        "a login as a list",
        "['docker', 'login', '-u', 'hub', '-p', 'S3cret', 'ghcr.io']",
        "['docker', 'run', '-p', '8080:80', 'caddy']",
    ),
    ("mysql", "mysql -uroot -pS3cret k1s", "mkdir -p /a/b"),
    ("sshpass", "sshpass -p S3cret ssh host", "ssh -p 2222 host"),
    ("redis-cli", "redis-cli -a S3cret ping", "redis-cli -h host ping"),
    ("curl's user", "curl -fsS -u hub:S3cret http://127.0.0.1/", "curl -fsS http://127.0.0.1:80/"),
    (
        "curl's header",
        "curl -H 'Authorization: Bearer S3cret12' http://127.0.0.1/",
        "curl -H 'Accept: text/html' http://127.0.0.1/",
    ),
    (
        "kubectl's literal",
        "kubectl create secret generic a --from-literal=b=S3cret",
        "kubectl create secret generic a --from-file=b.pub",
    ),
    ("helm's set", "helm install a --set auth.password=S3cret,replicas=3", "helm install a --set replicas=3"),
    ("an environment before a command", "AE_TOKEN=S3cret ae apply", "AE_PORT=80 ae apply"),
    ("an environment of a container", "nerdctl run -e AE_TOKEN=S3cret caddy", "nerdctl run -e AE_TOKEN caddy"),
    ("an option on the next line", "ae --token \\\n  S3cretS3cret", "ae --tokens \\\n  3"),
    (
        "etcdctl",
        "cmd=['etcdctl', '--user', 'root:S3cretS3cret', 'get']",
        "cmd=['nerdctl', 'run', '--user', '1000:1000', 'x']",
    ),
    ("ctr", "ctr image pull --user hub:S3cret x", "ctr run --user 1000:1000 x"),
    ("curl's user at once", "curl -uhub:S3cret x", "curl -us x"),
    ("a registry's credentials", "skopeo copy --src-creds=a:S3cret x", "skopeo copy --src-no-creds a:1 x"),
    ("a keystore", "keytool -storepass S3cretS3cret", "keytool -storetype x"),
    ("a login with a token", "vault login S3cretS3cret1", "vault login -method=userpass"),
    ("SQL", "ALTER USER hub PASSWORD 'S3cret'", "ALTER TABLE users DROP password"),
    ("openssl", "openssl rsa -passin pass:S3cretS3cret", "openssl rsa -passin stdin"),
];

/// Headers of HTTP.
const HEADERS: &[Form] = &[
    ("Bearer", "Authorization: Bearer S3cretS3cret", "Authorization: Bearer ***"),
    ("Bearer in small letters", "authorization: bearer S3cret.S3cret", "the bearer of news"),
    ("Basic", "Authorization: Basic S3cretS3cret==", "WWW-Authenticate: Basic realm=\"hub\""),
    ("token", "Authorization: token S3cretS3cret", "Authorization: none"),
    ("no scheme", "Authorization: S3cretS3cret", "authorization: off"),
    ("Digest", "Authorization: Digest username=\"hub\", response=\"S3cret\"", "WWW-Authenticate: Digest qop=\"auth\""),
    ("a proxy's", "Proxy-Authorization: Basic S3cretS3cret==", "Proxy-Connection: close"),
    (
        "of AWS",
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=S3cretS3cret",
        "x-amz-date: 20260101T000000Z",
    ),
    ("a short Bearer", "authorization: Bearer S3cre", "WWW-Authenticate: Bearer realm=\"hub\""),
    ("a header by its variable", "HTTP_AUTHORIZATION=Bearer S3cret", "HTTP_AUTHORITY=hub"),
    ("a header in a sentence", "Authorization header was 'Bearer S3cret'", "Authorization header was missing"),
    (
        "a protocol of WebSockets",
        "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.S3cretS3cret",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    ("several of a header", r#"{"Set-Cookie":["a=S3cret; Path=/"]}"#, r#"{"Accept":["a=b; q=1"]}"#),
    ("a cookie without a name", "Cookie: S3cretS3cret", "cookie: none was set"),
    ("a key", "X-Api-Key: S3cretS3cret", "X-Request-Id: 1234"),
    ("a key of GitLab", "PRIVATE-TOKEN: S3cretS3cret", "X-Total: 3"),
    ("a cookie", "Cookie: theme=dark; session=S3cretS3cret", "Cookie: "),
    ("a cookie that is set", "Set-Cookie: session=S3cretS3cret; HttpOnly", "Set-Cookie: none"),
    ("a dict", "{'Authorization': 'Basic S3cretS3cret', 'Accept': '*/*'}", "{'Accept': '*/*'}"),
    ("a cookie in a dict", "{'Cookie': 'sid=S3cretS3cret', 'Accept': '*/*'}", "{'Accept': 'a/b'}"),
    ("JSON", r#"{"Authorization": ["Bearer S3cret12"], "a": "b"}"#, r#"{"Accept": ["text/html"], "a": "b"}"#),
    ("a map of Go's", "map[Authorization:[Bearer S3cretS3cret] Accept:[*/*]]", "map[Accept:[*/*]]"),
    ("pairs", r#"[["authorization", "Basic S3cretS3cret"], ["accept", "b"]]"#, r#"[["accept", "text/html"]]"#),
    ("curl's trace", "> Authorization: Basic S3cretS3cret\r\n> Accept: */*\r\n", "> Accept: */*\r\n> Host: a\r\n"),
];

/// URLs and data sources.
const URLS: &[Form] = &[
    ("a password", "nats://hub:S3cret@host:4222", "nats://hub@host:4222"),
    ("a password without a user", "redis://:S3cret@host:6379/0", "redis://host:6379/0"),
    ("an at sign", "postgres://user:p@S3cretS3cret@db/x", "postgres://db/x?at=user@host"),
    ("a slash", "postgres://user:a/S3cretS3cret@db/x", "http://127.0.0.1:8765/mcp?at=user@host"),
    ("a colon", "postgres://user:a:S3cret:b@db/x", "http://[::1]:8080/x"),
    ("a question mark", "postgres://user:a?b#S3cret@db/x", "http://host/a?b=c#d"),
    ("an escape", "amqp://user:a%40S3cret@db/x", "amqp://host/%2f"),
    ("a quotation mark", "postgres://user:a'S3cret@db/x", "'http://a/', 'b@c'"),
    ("several hosts", "mongodb://u:S3cret@h1:27017,h2:27017/db", "mongodb://h1:27017,h2:27017/db"),
    ("a token", "https://S3cretS3cret@host/x", "https://john.smith@host/x"),
    ("a token for a password", "https://oauth2:S3cret@host/x.git", "ssh://git@host/x.git"),
    (
        "a password in JSON",
        r#"{"dsn": "postgres://user:S3cret@db/x", "a": "b@c"}"#,
        r#"{"dsn": "postgres://db/x", "a": "b@c"}"#,
    ),
    ("JDBC", "jdbc:postgresql://db/x?user=hub&password=S3cret&ssl=true", "jdbc:postgresql://db/x?user=hub&ssl=true"),
    ("Oracle", "jdbc:oracle:thin:hub/S3cret@//db:1521/x", "jdbc:oracle:thin:@//db:1521/x"),
    ("Go", "hub:S3cret@tcp(10.0.0.1:3306)/x", "tcp(10.0.0.1:3306)"),
    ("a query", "GET /x?access_token=S3cretS3cret&a=b HTTP/1.1", "GET /x?page=2&a=b HTTP/1.1"),
    ("an escaped query", "next=%2F%3Faccess_token%3DS3cretS3cret", "next=%2F%3Fpage%3D2"),
    ("a query that is escaped twice", "n=%252F%253Ftoken%253DS3cret%2526a", "n=%252F%253Fpage%253D2"),
    ("a query in markup", "<a href=\"/x?a=b&amp;token=S3cret&amp;c=d\">", "<a href=\"/x?a=b&amp;c=d\">"),
    ("a signature", "https://a/b?sv=1&sig=S3cretS3cret%3D", "https://a/b?sv=1&sr=b"),
    ("a fragment", "https://a/callback#access_token=S3cret&token_type=bearer", "https://a/callback#top"),
    ("a form", "grant_type=password&username=hub&password=S3cret", "grant_type=password&username=hub"),
];

/// Kubernetes, docker and their configurations.
const KUBERNETES: &[Form] = &[
    (
        "a TLS secret",
        "data:\n  tls.key: S3cretLS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==\n",
        "data:\n  tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n",
    ),
    (
        "a TLS secret in JSON",
        r#"{"kind":"Secret","data":{"tls.key":"S3cretLS0tLS1CRUdJTiBQUklWQVRFIEtFWQ=="}}"#,
        r#"{"kind":"ConfigMap","data":{"tls.crt":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURQ=="}}"#,
    ),
    (
        "a Secret",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  user: S3cret\n  other: S3cret\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  user: hub\n",
    ),
    (
        "a Secret's lines",
        "kind: Secret\nstringData:\n  a.conf: |\n    listen S3cret\n    b\n  b: 'S3cret'\n",
        "kind: ConfigMap\ndata:\n  a.conf: |\n    listen\n",
    ),
    (
        "a Secret by the alphabet",
        "apiVersion: v1\ndata:\n  user: S3cret\nkind: Secret\nmetadata:\n  name: a\n",
        "apiVersion: v1\ndata:\n  user: hub\nkind: ConfigMap\n",
    ),
    (
        "a Secret in a list",
        "items:\n- apiVersion: v1\n  data:\n    user: S3cret\n  kind: Secret\n- kind: Pod\n",
        "items:\n- apiVersion: v1\n  data:\n    user: hub\n  kind: ConfigMap\n",
    ),
    (
        "a list of Secrets",
        "kind: SecretList\nitems:\n- apiVersion: v1\n  data:\n    user: S3cret\n  kind: Secret\n",
        "kind: ConfigMapList\nitems:\n- apiVersion: v1\n  data:\n    user: hub\n  kind: ConfigMap\n",
    ),
    (
        "a Secret behind another document",
        "kind: Pod\n---\nkind: Secret\ndata:\n  x: S3cret\n---\nkind: Pod\n",
        "kind: Pod\n---\nkind: ConfigMap\ndata:\n  x: y\n",
    ),
    (
        "a Secret in JSON, data first",
        r#"{"data": {"user": "S3cret"}, "kind": "Secret"}"#,
        r#"{"data": {"user": "hub"}, "kind": "ConfigMap"}"#,
    ),
    (
        "a Secret in a list in JSON",
        r#"{"kind": "List", "items": [{"kind": "Secret", "stringData": {"a": "S3cret"}}]}"#,
        r#"{"kind": "List", "items": [{"kind": "ConfigMap", "data": {"a": "b"}}]}"#,
    ),
    (
        "a list of Secrets in JSON",
        r#"{"kind": "SecretList", "items": [{"data": {"a": "S3cret"}}]}"#,
        r#"{"kind": "PodList", "items": [{"data": {"a": "b"}}]}"#,
    ),
    (
        "a Secret in JSON in JSON",
        r#"{"m": "{\"kind\": \"Secret\", \"data\": {\"a\": \"S3cret\"}}"}"#,
        r#"{"m": "{\"kind\": \"Pod\", \"data\": {\"a\": \"b\"}}"}"#,
    ),
    (
        "a Secret as Python's",
        "{'kind': 'Secret', 'data': {'a': 'S3cret'}}",
        "{'kind': 'ConfigMap', 'data': {'a': 'b'}}",
    ),
    ("a Secret's data in a flow", "kind: Secret\ndata: {a: S3cret}\n", "kind: ConfigMap\ndata: {a: b}\n"),
    (
        "a Secret with a comment",
        "kind: Secret # of the hub\ndata:\n  a: S3cret\n",
        "kind: Pod # no Secret\ndata:\n  a: b\n",
    ),
    ("a key by its file", "  id_rsa: S3cretS3cret\n", "  id_rsa.pub: abc\n"),
    ("a Secret in a flow", "{kind: Secret, data: {a: S3cret}}", "{kind: ConfigMap, data: {a: b}}"),
    ("docker's auth", r#"{"auths":{"ghcr.io":{"auth":"S3cretS3cret"}}}"#, r#"{"auths":{"ghcr.io":{}}}"#),
    ("docker's token", r#"{"auths":{"ghcr.io":{"identitytoken":"S3cretS3cret"}}}"#, r#"{"credsStore":"pass"}"#),
    ("docker's auth as YAML", "auths:\n  ghcr.io:\n    auth: S3cretS3cret\n", "auths:\n  ghcr.io:\n    auth: none\n"),
    ("a docker configuration", ".dockerconfigjson: S3cretS3cret", "type: kubernetes.io/dockerconfigjson"),
    (
        "kubeconfig's key",
        "users:\n- name: a\n  user:\n    client-key-data: S3cretS3cret\n",
        "users:\n- name: a\n  user:\n    client-key: /a/b.key\n",
    ),
    (
        "kubeconfig's token",
        "users:\n- name: a\n  user:\n    token: S3cretS3cret\n",
        "users:\n- name: a\n  user:\n    tokenFile: /a/b\n",
    ),
    (
        "kubeconfig in JSON",
        r#"{"users":[{"name":"a","user":{"client-key-data":"S3cret"}}]}"#,
        r#"{"users":[{"name":"a","user":{"client-certificate-data":"abc"}}]}"#,
    ),
    (
        "a variable",
        r#"[{"name": "AE_TOKEN", "value": "S3cret"}, {"name": "A", "value": "b"}]"#,
        r#"[{"name": "AE_PORT", "value": "80"}]"#,
    ),
    (
        "a variable, value first",
        r#"[{"value": "S3cretS3cret", "name": "AE_TOKEN"}]"#,
        r#"[{"value": "8080", "name": "AE_PORT"}]"#,
    ),
    (
        "a variable with more",
        r#"[{"name": "AE_TOKEN", "kind": "x", "value": "S3cret"}]"#,
        r#"[{"name": "AE_TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "token"}}}]"#,
    ),
    (
        "a variable in YAML",
        "- name: AE_TOKEN\n  value: S3cret\n",
        "- name: AE_TOKEN\n  valueFrom:\n    secretKeyRef:\n      name: hub\n      key: token\n",
    ),
    ("a variable in YAML, value first", "- value: S3cret\n  name: AE_TOKEN\n", "- value: b\n  name: AE_PORT\n"),
    (
        "an environment as a list",
        r#"{"Env": ["PATH=/bin", "AE_TOKEN=S3cret"]}"#,
        r#"{"Env": ["PATH=/bin", "AE_TOKEN_FILE=/a"]}"#,
    ),
    ("compose", "environment:\n  - AE_TOKEN=S3cret\n  - A=b\n", "environment:\n  - AE_TOKEN\n  - A=b\n"),
    ("describe", "    Environment:\n      AE_TOKEN:  S3cretS3cret\n", "    Mounts:\n      /a from token (ro)\n"),
];

/// Tokens that are known by how they begin.
const TOKENS: &[Form] = &[
    ("GitHub", "remote: ghp_S3cretS3cretS3cretS3cretS3cretS3cret1 rejected", "remote: ghp_ rejected"),
    ("GitHub, fine-grained", "with github_pat_11S3CRET0S3cret_S3cretS3cret", "see github_pat_docs"),
    ("GitLab", "with glpat-S3cretS3cretS3cret", "see glpat-docs"),
    ("AWS", "id AKIAS3CRES3CRETS3CRE", "id AKIA"),
    ("AWS with its key", "ASIAABCDEFGHIJKLMNOP:S3cretS3cretS3cretS3cretS3cretS3cretS3cr", "ASIA:none"),
    ("Slack", "with xoxb-S3cret-S3cretS3cret", "the xoxb- kind"),
    ("Stripe", "with sk_live_S3cretS3cret", "the sk_live_ kind"),
    ("Google", "key AIzaS3cretS3cretS3cretS3cretS3cretS3cre", "the AIza kind"),
    ("npm", "npm_S3cretS3cretS3cretS3cretS3cretS3cre", "npm_config_cache"),
    ("PyPI", "pypi-AgEIcHlwaS3cretS3cret", "pypi-server"),
    ("Hugging Face", "hf_S3cretS3cretS3cret", "hf_hub"),
    ("SendGrid", "SG.S3cretS3cret.S3cretS3cret", "MSG.text"),
    ("Vault", "hvs.S3cretS3cretS3cretS3cret", "hvs.example"),
    ("Docker", "dckr_pat_S3cretS3cretS3cret", "dckr_pat_"),
    ("DigitalOcean", "dop_v1_5ec7e75ec7e7S3cret", "dop_v1_"),
    ("Grafana", "glsa_S3cretS3cretS3cret_1234", "glsa_"),
    ("Shopify", "shpat_5ec7e75ec7e7S3cret", "shpat_"),
    ("OpenAI", "sk-proj-S3cretS3cretS3cret", "sk-proj-"),
    ("a web token", "at eyJhbGciOiJ.eyJS3cretS3cret.S3cret end", "at eyJh end"),
    ("a short web token in JSON", r#"{"x": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJT.S3cretS3cret"}"#, r#"{"x": "eyJhbG"}"#),
    ("a web token that was cut", "at eyJhbGciOiJIUzI1NiJ9.eyJS3cretS3cret", "at eyJ.eyJ"),
    ("in a path", "https://host/x/ghp_S3cretS3cretS3cretS3cretS3cretS3cret1/y", "https://host/x/ghp/y"),
    ("in a name of JSON", r#"{"ghp_S3cretS3cretS3cretS3cretS3cretS3cret1": 1}"#, r#"{"ghp": 1}"#),
    (
        "a hook of Slack's",
        "POST https://hooks.slack.com/services/T0/B0/S3cretS3cret",
        "POST https://slack.com/services",
    ),
];

/// Private keys.
const KEYS: &[Form] = &[
    (
        "PEM",
        "a\n-----BEGIN EC PRIVATE KEY-----\nS3cretS3cret/MHcC\n-----END EC PRIVATE KEY-----\nb",
        "-----BEGIN CERTIFICATE-----\nMHcC\n-----END CERTIFICATE-----\n",
    ),
    ("PEM without its end", "a\n-----BEGIN PRIVATE KEY-----\nS3cretS3cret", "a\n-----BEGIN PUBLIC KEY-----\nMHcC"),
    (
        "PEM without its beginning",
        "S3cretS3cret/MHcC\nS3cretS3cret==\n-----END EC PRIVATE KEY-----\n",
        "MHcC\n-----END PUBLIC KEY-----\n",
    ),
    (
        "PEM without its beginning, in a log",
        "what was said\nS3cretS3cret/MHcC\nS3cretS3cret==\n-----END PRIVATE KEY-----\nnext",
        "what was said\nMHcC\n-----END CERTIFICATE-----\nnext",
    ),
    (
        "PEM in JSON",
        r#"{"k": "-----BEGIN PRIVATE KEY-----\nS3cret\n-----END PRIVATE KEY-----\n", "ok": 1}"#,
        r#"{"k": "-----BEGIN CERTIFICATE-----\nMHcC\n-----END CERTIFICATE-----\n", "ok": 1}"#,
    ),
    (
        "PEM in JSON without its beginning",
        r#"{"k": "S3cretS3cret\nS3cret==\n-----END PRIVATE KEY-----\n", "ok": 1}"#,
        r#"{"k": "MHcC\n-----END CERTIFICATE-----\n", "ok": 1}"#,
    ),
    (
        "PEM as a list of lines",
        r#"["a", "-----BEGIN PRIVATE KEY-----", "S3cret", "-----END PRIVATE KEY-----", "b"]"#,
        r#"["a", "MHcC", "b"]"#,
    ),
    (
        "PEM in one line",
        r"key=-----BEGIN PRIVATE KEY-----\nS3cret\n-----END PRIVATE KEY-----\n",
        r"cert=-----BEGIN CERTIFICATE-----\nMHcC\n",
    ),
    (
        "PEM indented",
        "k: |\n  -----BEGIN PRIVATE KEY-----\n  S3cret\n  -----END PRIVATE KEY-----\nb: c",
        "k: |\n  -----BEGIN CERTIFICATE-----\n  MHcC\nb: c",
    ),
    (
        "OpenSSH",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaS3cret\n-----END OPENSSH PRIVATE KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI user@host",
    ),
    (
        "PGP",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nS3cret\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n",
    ),
    (
        "SSH2",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nS3cret\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
        "---- BEGIN SSH2 PUBLIC KEY ----\nabc\n",
    ),
    (
        "an encrypted one",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nS3cret\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN X509 CRL-----\nabc\n",
    ),
    (
        "PEM in a container's log",
        "{\"log\":\"-----BEGIN PRIVATE KEY-----\\n\",\"stream\":\"stderr\"}\n{\"log\":\"S3cretS3cret\\n\",\"stream\":\"stderr\"}\n{\"log\":\"-----END PRIVATE KEY-----\\n\",\"stream\":\"stderr\"}\n",
        "{\"log\":\"-----BEGIN CERTIFICATE-----\\n\"}\n{\"log\":\"MHcC\\n\"}\n{\"log\":\"-----END CERTIFICATE-----\\n\"}\n",
    ),
    (
        "PEM in small letters",
        "-----begin private key-----\nS3cret\n-----end private key-----",
        "-----begin certificate-----\nMHcC\n",
    ),
    (
        "a seed of NATS",
        "-----BEGIN USER NKEY SEED-----\nS3CRETS3CRET\n------END USER NKEY SEED------\n",
        "-----BEGIN USER NOTES-----\nabc\n",
    ),
    ("age", "AGE-SECRET-KEY-1S3CRETS3CRET", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8"),
    ("age's plugin", "AGE-PLUGIN-YUBIKEY-1S3CRET x", "age-plugins are many"),
    (
        "in base64",
        "k LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClMzY3JldFMzY3JldA==",
        "k LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
    ),
];

/// Layers of escapes.
const LAYERS: &[Form] = &[
    ("JSON in JSON", r#"{"m": "{\"read_token\": \"S3cret\"}"}"#, r#"{"m": "{\"read_token\": \"\"}"}"#),
    (
        "JSON in JSON in JSON",
        r#"{"m": "{\"n\": \"{\\\"a_token\\\": \\\"S3cret\\\"}\"}"}"#,
        r#"{"m": "{\"n\": \"{\\\"a\\\": \\\"b\\\"}\"}"}"#,
    ),
    ("an escaped mark", r#"{"password": "ab\"S3cret", "ok": 1}"#, r#"{"name": "ab\"cd", "ok": 1}"#),
    (
        "an escaped mark in an environment",
        r#"{"env": ["PASSWORD=ab\"S3cret", "A=b"]}"#,
        r#"{"env": ["NAME=ab\"c", "A=b"]}"#,
    ),
    ("an escaped backslash", r#"{"password": "S3cret\\", "ok": 1}"#, r#"{"name": "a\\", "ok": 1}"#),
    ("an escaped name", r#"{"pass\u0077ord": "S3cret"}"#, r#"{"pass\u0077ay": "a"}"#),
    ("an escaped sign", "{\"m\": \"TOKEN\\u003dS3cret\"}", "{\"m\": \"NAME\\u003da\"}"),
    ("lines in JSON", r#"{"m": "a: 1\n  password: S3cret\nb: 2"}"#, r#"{"m": "a: 1\n  name: x\nb: 2"}"#),
    ("JSON in a log", "INFO said {\\\"token\\\": \\\"S3cret\\\"} to us", "INFO said {\\\"name\\\": \\\"a\\\"} to us"),
    ("markup", "&quot;token&quot;: &quot;S3cret&quot;", "&quot;name&quot;: &quot;a&quot;"),
    ("JSON in a URL", "q=%7B%22token%22%3A%22S3cret%22%7D", "q=%7B%22name%22%3A%22a%22%7D"),
];

/// Lines of logs.
const LOGS: &[Form] = &[
    ("a name in a line", "2026-01-01 INFO admin_token: S3cretS3cret", "2026-01-01 INFO token: not found"),
    ("a name and more", "INFO login with password: S3cret, user: hub", "INFO login: a password is required"),
    ("a pair", "level=info msg=started token=S3cret addr=:80", "level=info msg=started tokens=3 addr=:80"),
    ("a pair in quotation marks", "level=info token=\"S3cret x\" addr=:80", "level=info token=\"\" addr=:80"),
    ("kinds of tokens", r#"{"tokens": ["S3cretS3cret"]}"#, r#"{"tokens": ["admin", "read-only"]}"#),
    (
        "a file and its digest",
        r#"("token", "S3cretS3cret")"#,
        r#"["workerbee/token", "5d4023ae24482870046a2719f14e6780c4253d7114e7840f62c0dea20727b581"]"#,
    ),
    (
        "a member of a template",
        "serviceAccountToken: S3cretS3cret",
        r#"{"serviceAccountToken": {"audience": "apishim", "expirationSeconds": 3607, "path": "token"}}"#,
    ),
    ("markdown", "`AE_TOKEN=S3cretS3cret`", "a variable `…_API_KEY=`. It's `one`"),
    ("a style", "--pass: S3cretS3cret;", "  --pass: #1c6b3f; --fail: #a8261c;"),
    ("a quoted sentence", "the token 'S3cretS3cret' was refused", "the token 'admin' was refused"),
    ("whose", "password for hub: S3cretS3cret", "token for hub: expired at 2026-01-01"),
    ("which", "token #1: S3cretS3cret", "token #1: expired"),
    ("a table's cell", "| token | S3cretS3cret |", "| token | valid |"),
    ("a name in words", "The secret key is S3cretS3cret1.", "The secret key is required."),
    (
        "a service account's volume",
        "serviceAccountToken:\n  value: S3cretS3cret",
        "- serviceAccountToken:\n    path: token\n    expirationSeconds: 3607\n",
    ),
    ("a folder", "MYSQL_PWD: S3cretS3cret", "pwd: /srv/x"),
    ("a sentence", "the password is S3cretS3cret", "the password is required"),
    ("a table", "AE_TOKEN    S3cretS3cret\nAE_PORT     8080", "NAME        SECRETS   AGE\nhub         1         3d"),
    ("an arrow", "token -> S3cretS3cret", "token -> none"),
    (
        "a container's log",
        r#"{"log":"token=S3cret\n","stream":"stderr","time":"2026-01-01T00:00:00Z"}"#,
        r#"{"log":"tokens=3\n","stream":"stderr","time":"2026-01-01T00:00:00Z"}"#,
    ),
    ("in brackets", "[token: S3cretS3cret]", "[token: missing]"),
    ("in colours", "\u{1b}[36mtoken\u{1b}[0m=S3cretS3cret", "\u{1b}[36mtokens\u{1b}[0m=3"),
    (
        "a traceback",
        "  File \"a.py\", line 3\n    login(password='S3cretS3cret')\n",
        "  File \"a.py\", line 3\n    login(password=password)\n",
    ),
];
