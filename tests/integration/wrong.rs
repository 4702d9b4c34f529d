//! What is wrong gets one sentence that a tired person can act on, and the exit code that belongs to it.

use std::fs;

use axum::Router;
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use signinel::standin::graph::{GraphStandin, Options};

use crate::program::{MARK, Place, Ran, SIGNING, record, spike};

/// What a configuration is answered with by every command that needs it.
#[track_caller]
fn refused(config: &str, words: &[&str]) {
    let place = Place::new();
    place.write("signinel.toml", config.replace("MARK", MARK));
    place.write("spike.json", spike());
    for command in ["run --once", "import spike.json"] {
        let ran = place.run(command);
        ran.says(2, &["error: signinel.toml: "]).says(2, words);
        assert_eq!(ran.out, "", "{command}");
    }
    assert!(!place.path("signinel.db").exists(), "nothing is begun");
}

const MAIL: &str = "[[channel]]\nkind = \"email\"\nname = \"mail\"\nto = [\"a@example.org\"]\n\
                    from = \"s@example.org\"\nhost = \"127.0.0.1\"\nsecurity = \"none\"\n";

const HOOK: &str =
    "[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"https://example.org/MARK\"\n";

const GRAPH: &str = "[[source]]\nkind = \"graph\"\nname = \"prod\"\n\
                     tenant_id = \"11111111-2222-4333-8444-555555555555\"\n";

#[test]
fn broken_toml_is_told_with_its_line() {
    refused("\n[[channel]\nkind = \"email\"\n", &["line 2", "expected `]`"]);
    refused("[[channel]]\npassword = \"MARK\n", &["line 2", "expected `\"`"]);
}

#[test]
fn all_that_is_wrong_in_a_configuration_is_told_at_once() {
    let tables =
        "surce = 1\n[[route]]\nchannels = [\"maill\"]\n[incidents]\ngather_for = \"soon\"\n";
    refused(
        &format!("{tables}{MAIL}password = \"MARK\"\n"),
        &[
            "`surce` is not known here; did you mean `source`?",
            "no channel named `maill`; did you mean `mail`?",
            "`gather_for`: `soon` is not a span of time: write a number with its unit",
        ],
    );
    let mail = MAIL.replace("a@example.org", "nobody").replace("127.0.0.1", "smtp.example.org");
    let pager = "[[channel]]\nkind = \"pager\"\nname = \"p\"\n";
    let source = "[[source]]\nkind = \"grph\"\nname = \"prod\"\n";
    refused(
        &[&mail, HOOK, pager, source].concat(),
        &[
            "`mail`: `to`: `nobody` is not a mail address",
            "`mail`: `security = \"none\"` would send mail unencrypted to smtp.example.org",
            "`hook`: `secret` is missing",
            "there is no kind `pager`: write \"email\" or \"webhook\"",
            "there is no source of kind `grph`; write kind = \"graph\"",
        ],
    );
}

#[test]
fn a_key_that_is_not_known_is_told_with_the_one_that_was_meant() {
    let known = |config: &str, words: &str| refused(config, &[words]);
    known(
        &format!("{MAIL}pasword = \"MARK\"\n"),
        "[[channel]] `mail`: `pasword` is not known here; did you mean `password`?",
    );
    known(
        &format!("{MAIL}colour = 1\n"),
        "`colour` is not known here; the keys are to, from, host",
    );
    known(
        "[incidents]\ngather_fro = \"1h\"\n",
        "`gather_fro` is not known here; did you mean `gather_for`?",
    );
    known(
        &format!("{GRAPH}intervall = \"1m\"\ncredential = {{ kind = \"azure_cli\" }}\n"),
        "[[source]] `prod`: `intervall` is not known here; did you mean `interval`?",
    );
    known(
        &format!("{GRAPH}credential = {{ kind = \"client_secret\", client_secrt = \"MARK\" }}\n"),
        "`credential.client_secrt` is not known here; did you mean `client_secret`?",
    );
}

#[test]
fn a_secret_that_is_not_there_is_told_with_the_ways_to_give_it() {
    let application = "client_id = \"11111111-2222-4333-8444-555555555555\"";
    let secret = format!("{GRAPH}credential = {{ kind = \"client_secret\", {application}");
    refused(
        &format!("{secret} }}\n"),
        &["client_secret` is missing", "client_secret_file", "SIGNINEL_SOURCE_PROD_CLIENT_SECRET"],
    );
    refused(
        &format!("{secret}, client_secret_file = \"nowhere/graph\" }}\n"),
        &["cannot read `client_secret_file` nowhere/graph: No such file"],
    );
    refused(
        &format!("{MAIL}username = \"signinel\"\n"),
        &["`username` is set and `password` is not", "SIGNINEL_CHANNEL_MAIL_PASSWORD"],
    );
    refused(
        &format!("{MAIL}username = \"signinel\"\npassword_file = \"nowhere/smtp\"\n"),
        &["cannot read `password_file` nowhere/smtp: No such file"],
    );
    refused(HOOK, &["`secret` is missing", "`secret_file`", "SIGNINEL_CHANNEL_HOOK_SECRET"]);
    refused(
        &format!("{HOOK}secret_file = \"nowhere/hook\"\n"),
        &["cannot read `secret_file` nowhere/hook"],
    );
    refused(&format!("{HOOK}secret = \"MARK\"\n"), &["a secret is `whsec_` and", "openssl rand"]);
}

#[test]
fn a_configuration_that_was_named_has_to_be_there() {
    let place = Place::new();
    let shown = "config.example.toml shows what goes into it";
    place.run("run --once --config absent.toml").says(2, &["absent.toml: No such file", shown]);
    place.run("run --once --config .").says(2, &["Is a directory", shown]);
    place.run("run --once").says(2, &["no source to poll and no channel to tell", "[[source]]"]);
}

/// The path of a rule in the folder that the tests of rules break.
const SPIKE: &str = "r/sign_in/application_not_found_spike.yml";

#[test]
fn every_fault_of_every_rule_is_told_at_once_with_its_file() {
    let place = Place::new();
    place.write("spike.json", spike());
    let rule = include_str!("../../rules/sign_in/application_not_found_spike.yml");
    let detection = include_str!("../../rules/sign_in/application_not_found.yml");
    place.write("r/sign_in/application_not_found.yml", detection);
    place.write(SPIKE, rule.replace("event_count", "event_cont"));
    place.write("r/torn.yml", "title: torn\nlevel: high\n  detection: [\n");
    let level = detection.replace("\nlevel: ", "\nlevel: hgh # ");
    let names =
        level.lines().filter(|line| !line.starts_with("id: ") && !line.starts_with("name: "));
    place.write("r/level.yml", names.collect::<Vec<_>>().join("\n"));
    let told = [
        &format!("{SPIKE}:") as &str,
        "event_cont",
        "r/torn.yml:3: ",
        "r/level.yml:",
        "level: hgh",
    ];
    for command in ["--rules r import spike.json", "--rules r rules list"] {
        let ran = place.run(command);
        ran.says(2, &told);
        assert_eq!(ran.err.lines().count(), 3, "a line for each: {ran:?}");
    }
    let checked = place.run("rules check r");
    checked.says(1, &["3 faults in 3 files"]);
    assert_eq!(checked.out.lines().count(), 3, "{checked:?}");
}

#[test]
fn a_folder_of_rules_has_to_be_there_and_hold_some() {
    let place = Place::new();
    place.write("spike.json", spike());
    fs::create_dir(place.path("empty")).unwrap();
    for (folder, words) in [
        ("nowhere", "nowhere: cannot be read: No such file"),
        ("spike.json", "spike.json: cannot be read: Not a directory"),
        ("empty", "empty: holds no rule file (.yml or .yaml)"),
    ] {
        place.run(&format!("--rules {folder} import spike.json")).says(2, &[words]);
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_told_with_what_to_do() {
    let place = Place::new();
    place.write("spike.json", spike());
    fs::create_dir(place.path("folder")).unwrap();
    for (db, code, words) in [
        ("sqlite://folder", 1, "cannot open the database folder: it is a folder; name a file"),
        ("sqlite://spike.json", 1, "spike.json: the file is no database; name another"),
        ("sqlite://nowhere/x.db", 1, "nowhere/x.db: its folder does not exist; make it first"),
        (
            "postgres://host/x",
            2,
            "`postgres://host/x` is not a database address: write sqlite://FILE",
        ),
        // Not even root makes a file there.
        #[cfg(target_os = "linux")]
        ("sqlite:///proc/x.db", 1, "check that this user may write the file and its folder"),
    ] {
        place.run(&format!("--db {db} import spike.json")).says(code, &[words]);
    }
    let absent =
        "there is no database at absent.db: `signinel import FILE` or `signinel run` make one";
    place.run("--db sqlite://absent.db incidents list").says(1, &[absent]);
    assert!(!place.path("absent.db").exists());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let place = Place::new();
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &["12 stored"]);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path("signinel.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'of the future', 1, x'00', 1)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    for command in ["incidents list", "import spike.json", "doctor --offline"] {
        place
            .run(command)
            .says(1, &["signinel.db: a newer version of this program made it: run that one"]);
    }
}

#[test]
fn a_damaged_database_is_not_taken_for_a_question_of_permissions() {
    let place = Place::new();
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &["12 stored"]);
    let whole = fs::read(place.path("signinel.db")).unwrap();
    place.write("cut.db", &whole[..20_000]);
    place.run("--db sqlite://cut.db incidents list").says(1, &["cut.db: ", "the file is damaged"]);
}

#[test]
fn a_file_that_holds_no_records_is_told_as_what_it_is() {
    let place = Place::new();
    place.run("import absent.json").says(1, &["`absent.json` cannot be read: No such file"]);
    place.run("import").says(2, &["<FILE>"]);
    place.write("empty.json", "");
    place.run("import empty.json").says(0, &["0 records read", "nothing was in it"]);
    place.write("rubbish.bin", (0..4096_u32).map(|n| (n * 167 % 251) as u8).collect::<Vec<_>>());
    place.write("letter.txt", "dear colleague,\nthis is no log\n");
    place.write("other.json", "{\"hello\": \"world\"}");
    for (file, words) in [
        ("rubbish.bin", "rubbish.bin:1: this is neither JSON nor CSV"),
        ("letter.txt", "letter.txt:1: this is neither JSON nor CSV"),
        ("other.json", "other.json:1: it is no sign-in and no record of another log that is known"),
    ] {
        place.run(&format!("import {file}")).says(0, &["0 stored", "set aside", words]);
    }
    assert_eq!(place.json("rejects list").as_array().map(Vec::len), Some(3));
}

#[test]
fn of_a_torn_archive_what_came_before_the_tear_is_taken() {
    let place = Place::new();
    let records: Vec<Value> = (0..2_000)
        .map(|number| record("func", number, "2026-11-01T00:00:00Z".parse().unwrap(), 0))
        .collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    serde_json::to_writer(&mut packed, &json!({"value": records})).unwrap();
    let packed = packed.finish().unwrap();
    place.write("torn.json.gz", &packed[..packed.len() / 2]);
    let ran = place.run("import torn.json.gz");
    ran.says(1, &["`torn.json.gz` cannot be read to its end", "what came before it was taken"]);
    let stored = place.json("sources list")[0]["stored"].as_u64();
    assert!(stored.is_some_and(|stored| (500..1_500).contains(&stored)), "{stored:?} {ran:?}");
}

#[test]
fn good_records_between_bad_ones_are_stored_and_the_bad_ones_kept() {
    let place = Place::new();
    let spike: Value = serde_json::from_str(&spike()).unwrap();
    let mut lines: Vec<String> =
        spike["value"].as_array().unwrap().iter().map(Value::to_string).collect();
    lines.insert(1, "{\"id\": \"x\", \"createdDateTime\": ".to_owned());
    let timeless = lines[2].replace("createdDateTime", "created");
    lines.insert(4, timeless);
    lines.push("dear colleague".to_owned());
    place.write("half.ndjson", lines.join("\n"));
    let bad = [
        "half.ndjson:2: it is not JSON",
        "half.ndjson:5: it has no time",
        "half.ndjson:15: this is neither",
    ];
    place
        .run("import half.ndjson")
        .says(0, &["12 stored", "3 set aside", "1 incident"])
        .says(0, &bad);
    place.run("rejects list").says(0, &["half.ndjson:2", "half.ndjson:5", "half.ndjson:15"]);
    let shown: Vec<String> =
        (1..=3).map(|id| place.run(&format!("rejects show {id}")).out).collect();
    assert!(shown.iter().any(|record| record.contains("dear colleague")), "{shown:?}");
    // Where it was and why stand beside the record, not within it; JSON has all together.
    let ran = place.run("rejects show 1");
    assert!(!ran.out.contains("it is not JSON"), "{ran:?}");
    let kept = place.json("rejects show 1");
    assert_eq!(kept["place"], 2);
    assert!(kept["reason"].as_str().unwrap().contains("it is not JSON"), "{kept}");
    assert_eq!(kept["record"].as_str().unwrap().trim(), lines[1].trim());
    place
        .run("rejects show 99")
        .says(1, &["there is no rejected record 99", "`signinel rejects list`"]);
}

#[test]
fn records_of_other_logs_are_told_by_what_they_are() {
    let place = Place::new();
    let audit = r#"{"time":"2026-11-20T02:04:11Z","category":"AuditLogs","properties":{"activityDisplayName":"Add owner"}}"#;
    let activity = r#"{"time":"2026-11-20T02:04:11Z","category":"Administrative","resourceId":"/SUBSCRIPTIONS/1"}"#;
    place.write("mixed.ndjson", [audit, activity, audit].join("\n"));
    let ran = place.run("import mixed.ndjson");
    ran.says(0, &["3 records read", "3 of other logs"]);
    let told: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("  other")).collect();
    assert_eq!(
        told,
        ["  other      2 directory audit", "  other      1 subscription activity"],
        "{ran:?}"
    );
}

#[test]
fn what_is_not_there_is_told_with_where_to_look() {
    let place = Place::new();
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &["1 incident"]);
    let none = ["there is no incident 99", "`signinel incidents list` shows those there are"];
    for command in ["incidents show", "incidents acknowledge", "incidents resolve", "timeline"] {
        place.run(&format!("{command} 99")).says(1, &none);
        place.run(&format!("{command} first")).says(2, &["'first'"]);
    }
    place.run("deliveries retry 99").says(1, &["there is no delivery 99"]);
    place.run("deliveries enable pager").says(1, &["no channel called pager is switched off"]);
    place.run("identities show nobody").says(1, &["no identity is called nobody"]);
    place.run("events show 99").says(1, &["no sign-in with the id 99"]);
}

#[test]
fn what_cannot_be_asked_for_is_wrong_usage() {
    let place = Place::new();
    for (args, words) in [
        (
            "incidents list --since yesterday",
            "`yesterday` is neither a day (2026-11-23) nor a time",
        ),
        ("incidents list --since 2026-02-30", "`2026-02-30` is neither a day"),
        ("incidents list --state closed", "possible values: open, acknowledged, resolved"),
        ("incidents list --min-severity urgent", "`urgent` is not a severity: write informational"),
        ("incidents list --format yaml", "possible values: text, json"),
        ("incidents list --format csv", "this command writes `--format text` or `--format json`"),
        ("incident list", "a similar subcommand exists: 'incidents'"),
        ("frobnicate", "unrecognized subcommand 'frobnicate'"),
        ("import --no-notfy x", "a similar argument exists: '--no-notify'"),
    ] {
        place.run(args).says(2, &[words]);
    }
}

#[test]
fn nobody_who_can_be_told_is_a_sentence_and_no_failure_of_the_run() {
    let place = Place::new();
    place.write("spike.json", spike());
    let hook = HOOK.replace("https://example.org", "http://127.0.0.1:1");
    let secret = format!("secret = \"{SIGNING}\"\n");
    // Nobody listens on port 1.
    place.write(
        "signinel.toml",
        [MAIL, "port = 1\n", &hook, &secret].concat().replace("MARK", MARK),
    );
    place.run("import spike.json").says(0, &["1 incident"]);
    for id in [1, 2] {
        place.run(&format!("deliveries retry {id}")).says(0, &["is due now"]);
    }
    place.run("run --once").says(
        0,
        &[
            "cannot talk to the mail server 127.0.0.1:1",
            "check `host`, `port` and `security`",
            "cannot reach http://127.0.0.1:1: ",
            "check `url`",
        ],
    );
    place.run("deliveries list").says(0, &["pending", "cannot talk to", "cannot reach"]);
}

/// What `run --once` comes to for a source on loopback that signs in at an endpoint there. Each in a
/// folder of its own: after a failure a source is left alone for a while.
fn polled(endpoint: &str, login: &str, header: &str) -> Ran {
    let place = Place::new();
    let source = format!(
        "{GRAPH}endpoint = \"{endpoint}\"\nretry_wait = \"1ms\"\nrequests_per_10s = 1000\nsign_in_types = [\"managedIdentity\"]\n\
         credential = {{ kind = \"managed_identity\" }}\n"
    );
    place.write("signinel.toml", source);
    place.run_with("run --once", &[("IDENTITY_ENDPOINT", login), ("IDENTITY_HEADER", header)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lets_nobody_in_is_a_sentence_and_a_failure() {
    let graph = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let (login, header) = (graph.identity_endpoint(), graph.identity_header());
    polled(graph.endpoint(), &login, header).says(0, &["caught up"]);

    polled(graph.endpoint(), &login, MARK).says(
        1,
        &["error: prod managedIdentity: no token for", "system-assigned managed identity"],
    );

    // Gives a token that Graph does not know.
    let token = json!({
        "access_token": format!("of-{MARK}"),
        "expires_on": "4102444800",
        "resource": "https://graph.microsoft.com",
        "token_type": "Bearer",
    });
    let router = Router::new().fallback(get(async move || axum::Json(token)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}/token", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    polled(graph.endpoint(), &other, "x").says(
        1,
        &[
            "error: prod managedIdentity: ",
            "refused the token for tenant `11111111-",
            "check that `tenant_id`",
        ],
    );

    polled("http://127.0.0.1:1", &login, header).says(
        1,
        &[
            "error: prod managedIdentity: cannot reach http://127.0.0.1:1: ",
            "check the network, the proxy, and `endpoint`",
        ],
    );
}

#[test]
fn what_is_wrong_in_tables_and_within_them_is_told_together() {
    let place = Place::new();
    place.write(
        "signinel.toml",
        format!(
            "[[source]]\nkind = \"graph\"\nname = \"prod\"\ntenent_id = \"a\"\ninterval = \"soon\"\n\
             [[channel]]\nkind = \"webhok\"\nname = \"one\"\n\
             [[channel]]\nkind = \"webhook\"\nname = \"two\"\nurl = \"ftp://x.example\"\nsecret = \"{SIGNING}\"\n\
             [[route]]\nchannels = [\"nobody\"]\n"
        ),
    );
    let words = [
        "`tenent_id` is not known here; did you mean `tenant_id`?",
        "`tenant_id` is missing",
        "`soon` is not a span of time",
        "no channel named `nobody`",
        "webhok",
        "`url` does not begin with https",
    ];
    for args in ["run --once", "import x.json"] {
        place.run(args).says(2, &words);
    }
    place.run("doctor --offline").says(1, &words);
    assert!(!place.path("signinel.db").exists() || place.run("incidents list").code == 0);
}
