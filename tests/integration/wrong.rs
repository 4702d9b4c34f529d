//! Whatever is wrong is told in a sentence, with the exit code that fits: 1 where the machine could not
//! do it, 2 where a person asked for what cannot be.

use serde_json::json;

use crate::program::{MARK, Place, SIGNING, record, spike};
use signinel::clock::{Clock, SystemClock};

#[test]
fn all_that_is_wrong_with_a_configuration_is_told_at_once() {
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
        "`tenent_id` is not known",
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

#[test]
fn a_configuration_that_cannot_be_read_says_where() {
    let place = Place::new();
    place.run("run --config nowhere.toml").says(2, &["nowhere.toml", "config.example.toml"]);
    place.write("signinel.toml", "[notify]\nhost = [\n");
    place.run("run --once").says(2, &["signinel.toml: line 2"]);
    place.write("signinel.toml", "[[channel]]\nkind = \"webhook\"\nname = \"w\"\nurl = \"https://x.example\"\nsecret_file = \"gone\"\n");
    place.run("run --once").says(2, &["`secret_file`", "gone"]);
    let malformed = format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"w\"\nurl = \"https://x.example\"\nsecret = \"{MARK}\"\n"
    );
    place.write("signinel.toml", malformed);
    place.run("run --once").says(2, &["`w`", "whsec_"]);
    place.write("signinel.toml", "");
    place.run("run --once").says(2, &["no source to poll", "[[source]]", "signinel import"]);
}

#[test]
fn a_broken_rule_says_file_and_fault_and_so_does_a_folder_that_is_not_there() {
    let place = Place::new();
    place.write(
        "rules/a.yml",
        "title: x\nname: a\nlevel: hgh\ndetection:\n  s:\n    a: 1\n  condition: s\n",
    );
    place.write("rules/b.yml", "title: [\n");
    place.write(
        "rules/c.yml",
        "title: c\nid: 5b1b0000-0000-4000-8000-000000000001\nlevel: high\ncorrelation:\n  type: event_count\n  \
         rules: [gone]\n  group-by: [identity]\n  timespan: 10m\n  condition: {gte: 3}\nsigninel:\n  category: spike\n",
    );
    for args in ["rules check", "import x.json"] {
        place
            .run(&format!("{args} --rules rules"))
            .says(2, &["a.yml", "hgh", "b.yml", "c.yml", "gone"]);
    }
    place.run("rules list --rules nowhere").says(2, &["nowhere", "folder"]);
}

#[test]
fn a_database_that_cannot_be_used_says_why_and_what_to_do() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder.db")).unwrap();
    place.write("noise.db", [7_u8; 5000]);
    place.write("x.json", spike());
    for (db, code, words) in [
        ("sqlite://folder.db", 1, ["folder.db", "it is a folder"]),
        ("sqlite://noise.db", 1, ["noise.db", "is no database"]),
        ("sqlite://not/here/x.db", 1, ["not/here/x.db", "folder does not exist"]),
        ("mysql://x", 2, ["mysql://x", "sqlite://FILE"]),
    ] {
        place.run(&format!("import x.json --db {db}")).says(code, &words);
    }
    place.run("incidents list").says(1, &["there is no database", "signinel import FILE"]);
    place.run("import x.json").says(0, &[]);
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                 values (9000, 'later', 1, x'00', 0)";
    let address = format!("sqlite://{}", place.path("signinel.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let pool = sqlx::SqlitePool::connect(&address).await.unwrap();
        sqlx::query(later).execute(&pool).await.unwrap();
        pool.close().await;
    });
    place.run("incidents list").says(1, &["newer"]);
}

#[test]
fn what_cannot_be_read_is_set_aside_with_its_place_and_the_rest_goes_on() {
    let place = Place::new();
    place.run("import nowhere.json").says(1, &["nowhere.json", "cannot be read"]);
    place.write("empty.json", "");
    place.run("import empty.json").says(0, &["0 records read"]);
    place.write(
        "noise.bin",
        (0..3000_u32).map(|it| u8::try_from(it * 7 % 251).unwrap()).collect::<Vec<u8>>(),
    );
    place.run("import noise.bin").says(0, &["1 set aside", "noise.bin:1"]);
    place.write("cut.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3]);
    place.run("import cut.gz").says(1, &["cut.gz", "cannot be read to its end"]);
    let good = |it| record("func-a", it, SystemClock.now(), 0).to_string();
    let timeless = json!({"id": "7", "signInEventTypes": ["managedIdentity"], "appId": "b"});
    let lines = [good(1), "{\"id\": ".to_owned(), timeless.to_string(), good(2)].join("\n");
    place.write("half.ndjson", lines);
    place
        .run("import half.ndjson")
        .says(0, &["2 stored", "2 set aside", "half.ndjson:2", "half.ndjson:3", "has no time"]);
    place.run("rejects list").says(0, &["half.ndjson:3", "has no time"]);
    place.run("import nowhere.json half.ndjson").says(1, &["2 known already", "nowhere.json"]);
}

#[test]
fn asking_for_what_is_not_there_says_where_to_look() {
    let place = Place::new();
    place.write("x.json", spike());
    place.run("import x.json").says(0, &[]);
    for (args, code, words) in [
        ("incidents show 99", 1, "signinel incidents list"),
        ("timeline 99", 1, "signinel incidents list"),
        ("incidents acknowledge 99", 1, "signinel incidents list"),
        ("events show nothing", 1, "signinel timeline ID"),
        ("identities show nobody", 1, "signinel identities list"),
        ("deliveries retry 9", 1, "signinel deliveries list"),
        ("rejects show 9", 1, "signinel rejects list"),
        ("incidents list --since yesterdayish", 2, "neither a day"),
        ("incidents list --format csv", 2, "--format json"),
        ("frobnicate", 2, "--help"),
        ("incidents show one", 2, "invalid value"),
        ("import", 2, "<FILE>"),
    ] {
        place.run(args).says(code, &[words]);
    }
}

#[test]
fn a_source_that_cannot_be_read_and_a_server_that_is_not_there_say_so() {
    let place = Place::new();
    // Nothing listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!(
        "[[source]]\nkind = \"graph\"\nname = \"prod\"\ntenant_id = \"7c1e5b0a-3d92-4f0e-9a41-5e8b6d20c3f7\"\n\
         endpoint = \"http://127.0.0.1:{port}\"\nsign_in_types = [\"managedIdentity\"]\nretry_wait = \"1ms\"\n\
         credential = {{ kind = \"managed_identity\" }}\n"
    );
    place.write("signinel.toml", &source);
    let endpoint = format!("http://127.0.0.1:{port}/msi/token");
    let identity = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", MARK)];
    place.run_with("run --once", &identity).says(1, &["prod managedIdentity", "managed identity"]);
    place.run_with("doctor", &identity).says(1, &["prod"]);
    place.write(
        "signinel.toml",
        format!(
            "[[channel]]\nkind = \"email\"\nname = \"on-call\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\n\
             host = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n"
        ),
    );
    place.write("x.json", spike());
    place.run("import x.json").says(0, &["1 incident"]);
    place.run("run --once").says(0, &[]);
    place.run("deliveries list").says(0, &["pending", "cannot talk to the mail server"]);
    place.run("doctor").says(1, &["on-call", "cannot talk to the mail server"]);
}
