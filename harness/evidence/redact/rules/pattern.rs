//! Secrets that are known by how they look, or by what stands around them: a row each.
//!
//! The prefixes are those that their makers give away for this very purpose. Nothing is asked of a token's length but
//! that it is one: half a token, from a log that was cut, is a secret still.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use memchr::memrchr;
use regex::bytes::Regex;

use super::{Kind, Span, assignment, compiled, value};

/// One form: what it looks like, with a group `value` that is secret.
pub(super) struct Pattern {
    /// Its name, for readers of the table.
    #[cfg_attr(not(test), allow(dead_code, reason = "for who reads the table, and its tests"))]
    pub(super) form: &'static str,
    /// One of these stands in it, in whatever letters: where none does, the pattern is not tried.
    keywords: &'static [&'static str],
    looks: &'static str,
    /// None: by the group `name`, which must be the name of a secret.
    kind: Option<Kind>,
    /// Holds it, as `S3cret` and what else is no word.
    #[cfg_attr(not(test), allow(dead_code, reason = "for who reads the table, and its tests"))]
    pub(super) example: &'static str,
    /// Looks much like it, and is none.
    #[cfg_attr(not(test), allow(dead_code, reason = "for who reads the table, and its tests"))]
    pub(super) near_miss: &'static str,
}

const fn row(
    form: &'static str,
    kind: Option<Kind>,
    keywords: &'static [&'static str],
    looks: &'static str,
    example: &'static str,
    near_miss: &'static str,
) -> Pattern {
    Pattern { form, keywords, looks, kind, example, near_miss }
}

const TOKEN: Option<Kind> = Some(Kind::Token);
const PASSWORD: Option<Kind> = Some(Kind::Password);
const KEY: Option<Kind> = Some(Kind::Key);

/// Prefixes that only tokens have, and what they are followed by.
const MAKERS: &[(&str, &[&str], &str)] = &[
    (
        "GitHub",
        &["gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"],
        r"gh[oprsu]_[A-Za-z0-9]{10,}|github_pat_[A-Za-z0-9_]{10,}",
    ),
    (
        "GitLab",
        &[
            "glpat-",
            "gldt-",
            "glrt-",
            "glptt-",
            "glcbt-",
            "glft-",
            "glsoat-",
            "glagent-",
            "glimt-",
            "gloas-",
            "glffct-",
            "gr1348941",
        ],
        r"gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|imt|oas|ffct)-[A-Za-z0-9_.-]{10,}|GR1348941[A-Za-z0-9_-]{10,}",
    ),
    ("AWS", &["akia", "asia", "abia", "acca", "a3t"], r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Za-z0-9]{12,20}"),
    ("Slack", &["xox", "xapp-"], r"xox[a-z]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{10,}|xoxe\.xox[bp]-[A-Za-z0-9-]{8,}"),
    (
        "Stripe",
        &["k_live_", "k_test_", "k_prod_", "whsec_"],
        r"[prs]k_(?:live|test|prod)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,}",
    ),
    (
        "Google",
        &["aiza", "ya29.", "gocspx-"],
        r"AIza[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9_-]{10,}|GOCSPX-[A-Za-z0-9_-]{10,}",
    ),
    (
        "npm, PyPI, RubyGems, crates.io",
        &["npm_", "pypi-", "rubygems_", "cio"],
        r"npm_[A-Za-z0-9]{10,}|pypi-[A-Za-z0-9_-]{10,}|rubygems_[A-Za-z0-9]{10,}|cio[A-Za-z0-9]{32}",
    ),
    (
        "Hugging Face, OpenAI, Anthropic and others of models",
        &["hf_", "api_org_", "sk-", "gsk_", "r8_", "pplx-", "xai-"],
        r"hf_[A-Za-z0-9]{10,}|api_org_[A-Za-z0-9]{20,}|sk-(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{10,}|sk-[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}",
    ),
    (
        "SendGrid, Mailgun, Mailchimp, Twilio",
        &["sg.", "key-", "-us", "sk", "xkeysib-"],
        r"SG\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{8,})?|key-[0-9a-f]{32}|[0-9a-f]{32}-us[0-9]{1,2}|SK[0-9a-f]{32}|xkeysib-[A-Za-z0-9-]{20,}",
    ),
    (
        "DigitalOcean, Heroku, Linode, Fly",
        &["_v1_", "hrku-", "fo1_", "fm1", "fm2"],
        r"do[opr]_v1_[A-Za-z0-9]{10,}|HRKU-[A-Za-z0-9_-]{10,}|fo1_[A-Za-z0-9_-]{20,}|fm[12][ar]?_[A-Za-z0-9+/=_-]{20,}",
    ),
    (
        "HashiCorp",
        &["hvb.", "hvs.", "hvr.", ".atlasv1."],
        r"hv[bsr]\.[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{10,}",
    ),
    (
        "Docker, Kubernetes, k3s, Rancher",
        &["dckr_", "swmtkn-1-", "k10"],
        r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{10,}|SWMTKN-1-[A-Za-z0-9-]{10,}|K10[0-9a-zA-Z]{16,}::[a-z]{1,16}:[A-Za-z0-9]{8,}",
    ),
    (
        "Grafana, Sentry, New Relic, Datadog",
        &["glc_", "glsa_", "eyjrijoi", "sntry", "nrak-", "ddp_"],
        r"gl(?:c|sa)_[A-Za-z0-9+/=_]{16,}|eyJrIjoi[A-Za-z0-9+/=]{16,}|sntry[su]_[A-Za-z0-9+/=_-]{16,}|NRAK-[A-Z0-9]{16,}|ddp_[A-Za-z0-9]{20,}",
    ),
    (
        "Shopify, Square, PayPal, Plaid",
        &["shpat_", "shpca_", "shppa_", "shpss_", "sq0", "eaaa", "$production$"],
        r"shp(?:at|ca|pa|ss)_[A-Za-z0-9]{10,}|sq0[a-z]{3}-[A-Za-z0-9_-]{10,}|EAAA[A-Za-z0-9_-]{40,}|access_token\$production\$[A-Za-z0-9$]{10,}",
    ),
    (
        "Atlassian, Linear, Notion, Figma, Postman, Airtable",
        &["atatt3", "atbb", "lin_api_", "lin_oauth_", "ntn_", "secret_", "figd_", "pmak-", "pat"],
        r"ATATT3[A-Za-z0-9_=-]{10,}|ATBB[A-Za-z0-9]{16,}|lin_(?:api|oauth)_[A-Za-z0-9]{10,}|ntn_[A-Za-z0-9]{16,}|secret_[A-Za-z0-9]{32,}|figd_[A-Za-z0-9_-]{10,}|PMAK-[A-Za-z0-9-]{16,}|pat[A-Za-z0-9]{14}\.[a-f0-9]{16,}",
    ),
    (
        "Databricks, PlanetScale, Supabase, Doppler, 1Password, Tailscale",
        &["dapi", "pscale_", "sbp_", "dp.", "ops_eyj", "tskey-", "pul-"],
        r"dapi[0-9a-f]{32}|pscale_[a-z]{2,6}_[A-Za-z0-9_.-]{10,}|sbp_[A-Za-z0-9]{20,}|pul-[A-Za-z0-9]{20,}|dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{16,}|ops_eyJ[A-Za-z0-9+/=_-]{16,}|tskey-[A-Za-z0-9-]{10,}",
    ),
    ("Azure", &["q~"], r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{20,}"),
    ("Alibaba, Tencent", &["ltai", "akid"], r"LTAI[A-Za-z0-9]{12,}|AKID[A-Za-z0-9]{16,}"),
    ("Telegram, Discord", &[":aa", "mfa."], r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|mfa\.[A-Za-z0-9_-]{60,}"),
    ("NATS", &["su", "sa", "so", "sc", "sn", "sx"], r"S[UAOCNX][A-Z2-7]{40,}"),
    (
        "a web token",
        &["eyj", "ewo", ".local.", ".public."],
        r"ew[o0][A-Za-z0-9_-]{8,}\.ew[o0][A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}|v[1-4]\.(?:local|public)\.[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}|eyJhbGciOi[A-Za-z0-9_-]{8,}",
    ),
];

const ROWS: &[Pattern] = &[
    row(
        "a secret access key beside its id",
        KEY,
        &["akia", "asia"],
        r#"(?-u)\b(?:AKIA|ASIA)[A-Z0-9]{12,20}["']?[\s,:;|/]{1,8}["']?(?<value>[A-Za-z0-9/+]{20,}(?:[\s,:;|/]{1,8}[A-Za-z0-9/+]{40})?)"#,
        "ASIAABCDEFGHIJKLMNOP S3cretS3cretS3cret/S3cret+S3cretXYZ",
        "AsiaPacific, region ap-southeast-1",
    ),
    row(
        "a header of authorization, by its scheme",
        PASSWORD,
        &["authorization"],
        r#"(?i-u)(?:\b|_)authorization(?: header)?(?: was| is)?["'\]]{0,3}[\s:=,>]{1,8}[\["'(]{0,3}(?:basic|negotiate|ntlm|token|apikey|hmac|aws4-hmac-sha256|splunk|key|glsa)[ \t]{1,8}(?<value>[^\r\n"']+)"#,
        "Proxy-Authorization: Basic S3cretS3cret==",
        "authorization: basic",
    ),
    row(
        "a header of authorization with a bearer, however short",
        TOKEN,
        &["authorization"],
        r#"(?i-u)(?:\b|_)authorization(?: header)?(?: was| is)?["'\]]{0,3}[\s:=,>]{1,8}[\["'(]{0,3}bearer[ \t]{1,8}["']?(?<value>[^\s"',;\]})]+)"#,
        "the Authorization header was 'Bearer S3cre'",
        "authorization: bearer",
    ),
    row(
        "a header of authorization that is a digest",
        PASSWORD,
        &["authorization"],
        r"(?i-u)\bauthorization[\W]{1,5}(?:digest|hawk|oauth)[ \t]{1,8}(?<value>[^\r\n]+)",
        "Authorization: Digest username=\"hub\", nonce=\"a\", response=\"S3cret\"",
        "WWW-Authenticate: Digest realm=\"hub\", qop=\"auth\"",
    ),
    row(
        "a bearer",
        TOKEN,
        &["bearer"],
        r#"(?i-u)\bbearer[ \t:=]{1,8}["']?(?<value>[a-z0-9._~+/=-]{8,})"#,
        "curl -H 'authorization: bearer S3cret.S3cret'",
        "the bearer of it",
    ),
    row(
        "a token in a WebSocket's list of protocols",
        TOKEN,
        &["bearer"],
        r"(?i-u)\bbase64url\.bearer\.authorization\.k8s\.io\.(?<value>[A-Za-z0-9_-]{4,})",
        "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.S3cretS3cret, v4.channel.k8s.io",
        "Sec-WebSocket-Protocol: v4.channel.k8s.io",
    ),
    row(
        "the credentials of a user in base64",
        PASSWORD,
        &["basic "],
        r"(?-u)\bBasic[ \t](?<value>[A-Za-z0-9+/]{8,}={1,2})(?:[^A-Za-z0-9+/=]|$)",
        "said Basic S3cretS3cretS3cret==",
        "Basic authentication is off",
    ),
    row(
        "any other header of authorization",
        PASSWORD,
        &["authorization"],
        r#"(?i-u)(?:^|[\s"'{,])(?:[a-z0-9]{1,20}[_-]){0,4}authorization["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<value>[^\s"'{}\[\],;()]{8,})["']?\s*(?:$|["'},\]\r\n])"#,
        "Authorization: S3cretS3cret",
        "authorization: basic",
    ),
    row(
        "cookies",
        TOKEN,
        &["cookie"],
        r#"(?i-u)(?:\b|_)(?:set[-_])?cookie["']?[ \t]{0,8}[:=][ \t]{0,8}["']?[^\s=;,"']+=(?<value>[^\r\n"']+)"#,
        "Cookie: theme=dark; session=S3cretS3cret",
        "cookie: none was set",
    ),
    row(
        "a cookie without a name",
        TOKEN,
        &["cookie"],
        r#"(?i-u)(?:\b|_)(?:set[-_])?cookie["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<value>[a-z0-9+/_.-]*[a-z][0-9][a-z0-9+/_.-]{7,})["']?(?:[\r\n]|$)"#,
        "Cookie: S3cretS3cret",
        "cookie: none was set",
    ),
    row(
        "a cookie in a command line",
        TOKEN,
        &["curl"],
        r#"(?i-u)\bcurl\b[^\n]*?\s(?:-b|--cookie)[ =]["']?(?<value>[^\s"']*=[^\r\n"']+)"#,
        "curl -s -b 'session=S3cretS3cret' http://127.0.0.1/x",
        "curl -b cookies.txt http://127.0.0.1/x",
    ),
    row(
        "a user with a password in a command line",
        PASSWORD,
        &["curl", "wget", "http", "xh", "etcdctl", "nats", "ctr"],
        r#"(?i-u)\b(?:curl|wget|http|xh|etcdctl|nats|ctr\b[^\n]*?\b(?:pull|push))\b[^\n]*?[\s"'](?:-u|(?:--user|--proxy-user|--auth|-a)["']?[ =,])["']?[ =,]{0,3}["']?[^\s:"',-][^\s:"']*:(?<value>[^\s"']+)"#,
        "curl -fsS -u admin:S3cret http://127.0.0.1/x",
        "curl -u admin http://127.0.0.1:80/x",
    ),
    row(
        "credentials for a registry in a command line",
        PASSWORD,
        &["creds"],
        r#"(?-u)--(?:src-|dest-)?creds["']?[ =,]{1,3}["']?[^\s:"']+:(?<value>[^\s"']+)"#,
        "skopeo copy --src-creds=hub:S3cret docker://a dir:b",
        "skopeo copy --src-no-creds docker://a:1 dir:b",
    ),
    row(
        "a password that a tool takes by a letter",
        PASSWORD,
        &["openssl", "ssh-keygen", "sqlcmd", "twine", "htpasswd"],
        r#"(?-u)\b(?:openssl\s+(?:enc|aes\S*)\b[^\n]*?\s-k|ssh-keygen\b[^\n]*?\s-[NP]|sqlcmd\b[^\n]*?\s-P|twine\b[^\n]*?\s-p|htpasswd\s+-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+)["']?[ ,=]{1,3}["']?(?<value>[^\s"',-][^\s"']*)"#,
        "ssh-keygen -t ed25519 -N S3cret -f key",
        "ssh-keygen -t ed25519 -f key",
    ),
    row(
        "a login with a token in a command line",
        TOKEN,
        &["login"],
        r"(?-u)\b(?:vault|cargo|npm|heroku)\s+login\s+(?:token=)?(?<value>[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]{7,})",
        "cargo login S3cretS3cret1",
        "vault login -method=userpass",
    ),
    row(
        "a password for chpasswd",
        PASSWORD,
        &["chpasswd"],
        r#"(?-u)[\s"'][A-Za-z_][A-Za-z0-9_.-]{0,31}:(?<value>[^\s"'|]+)["']?\s*\|\s*(?:sudo\s+)?chpasswd\b"#,
        "echo 'hub:S3cret' | sudo chpasswd",
        "cat hub | chpasswd",
    ),
    row(
        "a password in SQL",
        PASSWORD,
        &["identified", "password", "pragma"],
        r"(?i-u)(?:\bidentified\s+(?:with\s+\S{1,40}\s+)?by|\bpragma\s+(?:re)?key\s*=|\b(?:user|role)\b[^\n;']{0,80}\bpassword)\s*'(?<value>[^'\n]+)'",
        "CREATE USER hub IDENTIFIED BY 'S3cret'",
        "CREATE TABLE users (password TEXT DEFAULT '')",
    ),
    row(
        "a login with a password in a command line",
        PASSWORD,
        &["login", "sshpass", "mysql", "redis-cli", "mongo", "ldapsearch", "smbclient", "psql", "7z", "zip"],
        r#"(?i-u)\b(?:login|sshpass|mysql|mysqldump|mysqladmin|redis-cli|mongo|mongosh|ldapsearch|smbclient|psql|7z|zip|unzip)\b[^\n]*?[\s"'](?:-p|-a|-w|-P|-pass)(?:["']?[ ,=]{1,3}["']?|["']?)(?<value>[^\s"',0-9=-][^\s"']*|[0-9][^\s"':]*)"#,
        "nerdctl login -u hub -p S3cret ghcr.io",
        "nerdctl run -p 8080:80 caddy",
    ),
    row(
        "a user and a password as two options",
        PASSWORD,
        &["-u", "--user"],
        r#"(?-u)[\s"'](?:-u|--user|--username)["']?[ ,=]{1,3}["']?[^\s"']+["']?[ ,]{1,3}["']?-p["']?[ ,=]{0,3}["']?(?<value>[^\s"',]+)"#,
        "['workerbee', '-u', 'hub', '-p', 'S3cret']",
        "nerdctl run -u 1000 caddy -v /p:/p",
    ),
    row(
        "literals of kubectl create secret",
        Some(Kind::Secret),
        &["--from-literal"],
        r#"(?-u)--from-literal["']?[= ,]{1,3}["']?[^\s=]+=(?<value>[^\s"']+|["'][^"']+)"#,
        "kubectl create secret generic x --from-literal=user=S3cret",
        "kubectl create secret generic x --from-file=ssh-key.pub",
    ),
    row(
        "a password of a user of a URL, whatever is in it",
        PASSWORD,
        &["://"],
        // Without a port and a path before the last `@`.
        r#"(?i-u)\b[a-z][a-z0-9+.-]{0,31}://[^\s:@/"'<>\\`]*:(?<value>[^\s"<>`]+)@"#,
        "nats://hub:a/b:S3cret@c@10.0.0.1:4222",
        "see http://127.0.0.1:8765/mcp?at=user@host and http://localhost:4873/@scope/x",
    ),
    row(
        "a token in the place of a URL's user",
        TOKEN,
        &["://"],
        r#"(?i-u)\b[a-z][a-z0-9+.-]{0,31}://(?<value>[^\s/:@"'<>\\`?#]{8,}):?@"#,
        "https://S3cretS3cret@host/x",
        "ssh://git@github.com/x and https://john.smith@host",
    ),
    row(
        "a data source of Go's",
        PASSWORD,
        &["@tcp(", "@unix(", "@udp("],
        r#"(?i-u)\b[a-z0-9_.-]{1,64}:(?<value>[^\s"']+?)@(?:tcp|unix|udp)\("#,
        "hub:S3cret@tcp(10.0.0.1:3306)/k1s",
        "listens: tcp(10.0.0.1:3306)",
    ),
    row(
        "a data source of Oracle's",
        PASSWORD,
        &["jdbc:oracle:"],
        r#"(?i-u)\bjdbc:oracle:[a-z0-9]{1,16}:[^\s/@"']{1,64}/(?<value>[^\s"']+?)@"#,
        "jdbc:oracle:thin:hub/S3cret@//db:1521/x",
        "jdbc:oracle:thin:@//db:1521/x",
    ),
    row(
        "a signature in a query",
        KEY,
        &["sig=", "signature=", "token=", "code=", "assertion=", "verifier=", "ticket="],
        r#"(?i-u)[?&](?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|code|code_verifier|ticket|client_assertion|assertion)=(?<value>[^\s&"'<>#]{8,})"#,
        "https://x.blob.core.windows.net/c?sv=2024&sig=S3cretS3cret%3D&se=1",
        "https://host/x?code=404&sig=none",
    ),
    row(
        "a webhook whose address is its secret",
        TOKEN,
        &["hooks.slack", "api/webhooks", "com/webhook", "org/bot"],
        r"(?i-u)(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks/[0-9]{1,32}|outlook\.office\.com/webhook|api\.telegram\.org/bot[0-9]{1,16}:)/?(?<value>[A-Za-z0-9_/@-]{8,})",
        "POST https://hooks.slack.com/services/T0/B0/S3cretS3cret failed",
        "see https://api.slack.com/messaging/webhooks",
    ),
    row(
        "a variable of a container, by name and then value, in YAML",
        None,
        &["value"],
        r#"(?i-u)\b(?:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<name>[A-Za-z0-9_.-]+)["']?[ \t]*\r?\n[ \t]{0,64}["']?value["']?[ \t]{0,8}[:=][ \t]{1,8}["']?(?<value>[^\r\n"']+)"#,
        "- name: AE_TOKEN\n  value: S3cret",
        "- name: AE_PORT\n  value: 8080",
    ),
    row(
        "a variable of a container, by value and then name, in YAML",
        None,
        &["value"],
        r#"(?i-u)\bvalue["']?[ \t]{0,8}[:=][ \t]{1,8}["']?(?<value>[^\r\n"']+)["']?[ \t]*\r?\n[ \t]{0,64}(?:- )?["']?(?:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?<name>[A-Za-z0-9_.-]+)"#,
        "- value: S3cret\n  name: AE_TOKEN",
        "- value: 8080\n  name: AE_PORT",
    ),
    row(
        "a variable by name and then value, in a line",
        None,
        &["val", "content"],
        r#"(?i-u)\b(?:name|key|id|type|field)["']?[ \t]{0,4}(?:[:=]|=>)[ \t]{0,4}["']?(?<name>[A-Za-z0-9_.-]+)["']?[ \t,;]{1,8}["':]?(?:value|val|content)["']?[ \t]{0,4}(?:[:=]|=>)>?[ \t]{0,4}(?:Some\()?["']?(?<value>[^\s"'\\]+)"#,
        r#"<add name="AE_TOKEN" value="S3cret"/> {Name:AE_TOKEN Value:S3cret}"#,
        r#"<add name="AE_PORT" value="8080"/>"#,
    ),
    row(
        "a variable by value and then name, in a line",
        None,
        &["val"],
        r#"(?i-u)\b(?:value|val)["']?[ \t]{0,4}(?:[:=]|=>)[ \t]{0,4}(?:Some\()?["']?(?<value>[^\s"'\\,]+)["')]{0,2}[ \t,;]{1,8}["':]?(?:name|key|type|field)["']?[ \t]{0,4}(?:[:=]|=>)[ \t]{0,4}["']?(?<name>[A-Za-z0-9_.-]+)"#,
        r#"EnvVar { value: Some("S3cret"), name: "AE_TOKEN" }"#,
        r#"EnvVar { value: Some("8080"), name: "AE_PORT" }"#,
    ),
    row(
        "the password of a machine in .netrc",
        PASSWORD,
        &["login"],
        r"(?i-u)\b(?:machine\s{1,8}\S+\s{1,8}|default\s{1,8})?login\s{1,8}\S+\s{1,8}password\s{1,8}(?<value>\S+)",
        "machine ghcr.io login hub password S3cre",
        "login without a password failed",
    ),
    row(
        "the password in a line of .pgpass",
        PASSWORD,
        &[":"],
        r"(?m-u)^(?:[A-Za-z0-9.*-]+):(?:[0-9]{2,5}|\*):[^\s:]{1,64}:[^\s:]{1,64}:(?<value>[^\s]+)$",
        "db.local:5432:k1s:hub:S3cret",
        "10.0.0.1:80:10.0.0.2:81",
    ),
    row(
        "a hash of a password",
        PASSWORD,
        &["$1$", "$2", "$5$", "$6$", "$y$", "$argon2", "$apr1$"],
        r"(?-u)(?<value>\$(?:2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{20,}|[156y]\$[^\s$:]{1,64}\$[./A-Za-z0-9]{16,}|argon2(?:id|i|d)\$[^\s:]{16,}|apr1\$[^\s$:]{1,16}\$[./A-Za-z0-9]{16,}))",
        "hub:$2y$05$S3cretS3cretS3cretS3cretS3cretS3cretS3cretS3cretS3",
        "costs $2 a day",
    ),
    row(
        "an age identity",
        Some(Kind::AgeIdentity),
        &["age-"],
        r"(?i-u)(?<value>age-(?:secret-key|plugin)-[a-z0-9-]+)",
        "AGE-SECRET-KEY-1S3CRETS3CRET",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ),
    row(
        "a private key in PEM, in base64",
        Some(Kind::PrivateKey),
        &["ls0tls1crudjti"],
        r"(?-u)(?<value>LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0Eg|BFQyBQ|BEU0Eg|BPUEVOU1NI|BFTkNSWVBURUQ|BQR1Ag)[A-Za-z0-9+/=_-]*)",
        "x LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tClMzY3JldA== y",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
    ),
    row(
        "the private lines of a key of PuTTY's",
        Some(Kind::PrivateKey),
        &["private-lines"],
        r"(?-u)Private-Lines: [0-9]{1,4}\r?\n(?<value>(?:[A-Za-z0-9+/=]+\r?\n?)+)",
        "Private-Lines: 1\nS3cretS3cretS3cret==\n",
        "Public-Lines: 1\nAAAAB3NzaC1yc2EAAAABJQ==\n",
    ),
];

/// A row, ready to be tried.
struct Compiled {
    pattern: Regex,
    kind: Option<Kind>,
}

/// All rows, and where to look for each of them.
struct Table {
    rows: Vec<Compiled>,
    keywords: AhoCorasick,
    /// The row that each keyword belongs to.
    of: Vec<usize>,
}

static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| {
    let makers =
        MAKERS.iter().map(|(_, keywords, pattern)| (*keywords, format!(r"(?-u)(?:\b|_)(?<value>{pattern})"), TOKEN));
    let rows = ROWS.iter().map(|row| (row.keywords, row.looks.to_owned(), row.kind));
    let (mut compiled_rows, mut words, mut of) = (Vec::new(), Vec::<&str>::new(), Vec::new());
    for (keywords, pattern, kind) in makers.chain(rows) {
        words.extend(keywords);
        of.extend(keywords.iter().map(|_| compiled_rows.len()));
        compiled_rows.push(Compiled { pattern: compiled(&pattern)?, kind });
    }
    let keywords = AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()?;
    Some(Table { rows: compiled_rows, keywords, of })
});

/// The distances up to which a match may begin before its keyword, and end behind it.
const BEFORE: usize = 768;
const BEHIND: usize = 16 * 1024;

/// Everything that the table knows.
pub(super) fn find(text: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    let Some(table) = TABLE.as_ref() else { return spans };
    let mut done = vec![0; table.rows.len()];
    for hit in table.keywords.find_overlapping_iter(text) {
        let index = table.of[hit.pattern().as_usize()];
        let row = &table.rows[index];
        if hit.end() <= done[index] {
            continue;
        }
        let end = two_lines(text, hit.end());
        // A line that was looked at may be the first of two.
        let mut from = line_start(text, hit.start());
        done[index] = end;
        while let Some(found) = (from <= end).then(|| row.pattern.captures_at(&text[..end], from)).flatten() {
            let Some(whole) = found.get(0) else { break };
            from = whole.end().max(from + 1);
            let Some(secret) = found.name("value") else { continue };
            let named = || found.name("name").and_then(|name| assignment::kind_of(name.as_bytes()));
            let Some(kind) = row.kind.or_else(named) else { continue };
            if !value::is_none(secret.as_bytes()) && !is_open(secret.as_bytes(), whole.as_bytes()) {
                // Behind what was looked at it goes on.
                let far = secret.end() == end;
                let over = if far { value::bare_end(text, end) } else { secret.end() };
                spans.push(Span { start: secret.start(), end: over, kind });
            }
        }
    }
    spans
}

/// Finds the beginning of the line before that of a place, if it is not far.
fn line_start(text: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(BEFORE);
    let before = &text[from..at];
    let line = memrchr(b'\n', before).unwrap_or(0);
    from + memrchr(b'\n', &before[..line]).map_or(0, |line| line + 1)
}

/// Finds the end of the line behind that of a place, if it is not far.
fn two_lines(text: &[u8], at: usize) -> usize {
    let far = (at + BEHIND).min(text.len());
    let line = value::line_end(&text[..far], at);
    if line == far { far } else { value::line_end(&text[..far], (line + 2).min(far)) }
}

/// Is true when a URL has something in a secret's place that is none: a port, an ordinary user.
fn is_open(secret: &[u8], whole: &[u8]) -> bool {
    let Some(scheme) = memchr::memmem::find(whole, b"://").map(|end| &whole[..end]) else { return false };
    if !whole.ends_with(b"@") {
        return false;
    }
    let of_a_user = whole.len() > scheme.len() + 3 + secret.len() + 2 || whole.get(scheme.len() + 3) == Some(&b':');
    if !of_a_user && whole.get(scheme.len() + 3..scheme.len() + 3 + secret.len()) == Some(secret) {
        return !value::looks_random(secret);
    }
    let web = [&b"http"[..], b"https", b"ws", b"wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let digits = secret.iter().take_while(|byte| byte.is_ascii_digit()).count();
    web && (1..=5).contains(&digits) && secret.get(digits).is_some_and(|next| b"/?#".contains(next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    #[test]
    fn each_row_finds_its_example_and_not_its_near_miss() {
        let table = TABLE.as_ref().unwrap();
        assert_eq!(table.rows.len(), MAKERS.len() + ROWS.len());
        let redactor = super::super::super::Redactor::default();
        let clean = |text: &str| String::from_utf8(redactor.redact(text.as_bytes())).unwrap();
        for row in ROWS {
            let pattern = Regex::new(row.looks).unwrap();
            assert!(pattern.is_match(row.example.as_bytes()), "{}: the row does not match", row.form);
            let small = row.example.to_lowercase();
            assert!(row.keywords.iter().any(|word| small.contains(word)), "{}: no keyword in it", row.form);
            assert!(!find(row.example.as_bytes()).is_empty(), "{}: it is not found", row.form);
            let example = clean(row.example);
            assert!(example.contains("***") && !example.to_lowercase().contains("s3cre"), "{}: {example}", row.form);
            assert_eq!(clean(row.near_miss), row.near_miss, "{}", row.form);
        }
    }
}
