//! Rules that are edited while `run` runs are taken up between two passes, and a broken edit breaks nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};

use serde_json::Value;

use crate::program::{Place, spike};

const CHANNEL: &str = "
[[channel]]
kind = \"email\"
name = \"night\"
from = \"signinel@example.org\"
to = [\"night@example.org\"]
host = \"127.0.0.1\"
port = 9
security = \"none\"
[rules]
shadow = [\"token_burst\"]
";

const SPIKE: &str = "mine/application_not_found_spike.yml";
const STREAK: &str = "mine/failure_streak.yml";

/// A `run` over what was imported, and what it says.
struct Running {
    place: Place,
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Running {
    fn start() -> Self {
        let place = Place::new();
        place.write("signinel.toml", CHANNEL);
        place.write("spike.json", spike());
        place.write_rules("mine");
        place.run("import spike.json --no-notify --rules mine").says(0, &["1 incident"]);
        let mut command = place.command("run --rules mine");
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { place, child, said };
        running.until("watching");
        running
    }

    /// Reads what it says until a line holds a text; gives the line.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {text:?}: {all}");
            if line.contains(text) {
                return line;
            }
            all.push_str(&line);
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn incident(&self) -> Value {
        self.place.json("incidents list")[0].clone()
    }

    fn stop(mut self) {
        self.signal("-TERM");
        self.until("stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no program behind; one that went well has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn findings_follow_an_edit_and_a_broken_one_leaves_the_old_rule_in_force() {
    let mut running = Running::start();
    let both = serde_json::json!(["application_not_found_spike", "failure_streak"]);
    assert_eq!(running.incident()["rules"], both);

    running.place.edit(SPIKE, "gte: 10", "gte: 1000");
    let said = running.until("rules read again");
    assert!(said.contains("changed application_not_found_spike"), "{said}");
    running.until("evaluated");
    assert_eq!(running.incident()["rules"], serde_json::json!(["failure_streak"]));

    // One file is broken, another changes: the one is as it was, the other follows.
    running.place.edit(SPIKE, "gte: 1000", "gte: [10");
    running.place.edit(STREAK, "level: medium", "level: critical");
    running.signal("-HUP");
    let said = running.until("ERROR");
    for word in ["application_not_found_spike.yml", " line ", "stays in force"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let said = running.until("rules read again");
    assert!(said.contains("changed failure_streak") && !said.contains("spike"), "{said}");
    running.until("evaluated");
    let incident = running.incident();
    assert_eq!(incident["rules"], serde_json::json!(["failure_streak"]));
    assert_eq!(incident["severity"], "critical");

    running.place.edit(SPIKE, "gte: [10", "gte: 10");
    let said = running.until("application_not_found_spike");
    assert!(said.contains("mended: "), "said again, or not mended: {said}");
    running.until("evaluated");
    assert_eq!(running.incident()["rules"].as_array().unwrap().len(), 2);
    running.stop();
}

/// The rows of the fold of a rule that is not edited.
async fn mark(place: &Place, mark: Option<i64>) -> Vec<i64> {
    let url = format!("sqlite://{}", place.path("signinel.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let of = "rule_id = (select id from rules where name = 'failure_streak')";
    if let Some(mark) = mark {
        let sql = format!("update tails set folded = {mark} where {of}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    }
    let sql = format!("select folded from tails where {of}");
    let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
    pool.close().await;
    rows
}

#[tokio::test]
async fn a_rule_that_was_not_edited_goes_on_where_it_was() {
    let mut running = Running::start();
    // A fold that began again would not have this mark.
    assert_eq!(mark(&running.place, Some(77)).await, [77]);
    running.place.edit(SPIKE, "gte: 10", "gte: 1000");
    running.until("rules read again");
    running.until("evaluated");
    assert_eq!(mark(&running.place, None).await, [77]);
    running.place.edit(STREAK, "gte: 5", "gte: 6");
    running.until("changed failure_streak");
    running.signal("-TERM");
    running.until("stopped");
    assert_ne!(mark(&running.place, None).await, [77]);
}

#[test]
fn a_hangup_reads_the_rules_again_and_the_same_rules_stay() {
    let mut running = Running::start();
    running.signal("-HUP");
    running.until("they are the same");
    std::fs::remove_file(running.place.path("mine/token_burst.yml")).unwrap();
    let said = running.until("ERROR");
    assert!(said.contains("[rules]: `token_burst` is no rule"), "{said}");
    let said = running.until("rules read again");
    assert!(said.contains("gone token_burst"), "{said}");
    running.stop();
}
