//! The storage source against an account on loopback, through the store as `run` does it.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use signinel::clock::FixedClock;
use signinel::config::Section;
use signinel::ingest::poll::{HeadRead, Poll, Polled};
use signinel::sources::Source;
use signinel::sources::storage::{Settings, Storage};
use signinel::store::Store;
use tokio_util::sync::CancellationToken;

use super::azurite::{AUTHORITY, Azurite, Unsigned};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const MANAGED: &str = "insights-logs-managedidentitysigninlogs";
const PRINCIPAL: &str = "insights-logs-serviceprincipalsigninlogs";

fn now() -> DateTime<Utc> {
    "2026-07-16T14:30:00Z".parse().unwrap()
}

/// A folder that goes away with it, a database in it, and a source for the account.
struct Place {
    folder: tempfile::TempDir,
    store: Store,
    source: Storage,
}

impl Place {
    async fn of(azurite: &Azurite) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&address(&folder)).await.unwrap();
        Self { folder, store, source: source(&azurite.endpoint) }
    }

    /// As after a restart: the file is all that is left.
    async fn restarted(self, azurite: &Azurite) -> Self {
        self.store.close().await;
        let store = Store::open(&address(&self.folder)).await.unwrap();
        Self { store, source: source(&azurite.endpoint), ..self }
    }

    async fn read(&self, now: DateTime<Utc>) -> Polled {
        let stop = CancellationToken::new();
        let on_page = |_: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>| ();
        let source: &dyn Source = &self.source;
        let poll = Poll {
            store: &self.store,
            source,
            now,
            clock: &FixedClock::at(now),
            is_eager: true,
            stop: &stop,
            on_page: &on_page,
        };
        poll.run().await.unwrap()
    }

    /// Reads all, and gives how many records were read and how many of them were new.
    async fn count(&self, now: DateTime<Utc>) -> (u64, u64) {
        let polled = self.read(now).await;
        for (head, read) in &polled.heads {
            assert_eq!(*read, HeadRead::CaughtUp, "{head}");
        }
        assert_eq!(polled.tally.rejected, 0);
        (polled.tally.read, polled.tally.stored)
    }
}

fn address(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}", folder.path().join("test.db").display())
}

fn source(endpoint: &str) -> Storage {
    let text = format!(
        "tenant_id = \"{TENANT}\"\nendpoint = \"{endpoint}\"\nca_file = '{AUTHORITY}'\nretry_wait = \"0s\"\n"
    );
    let section = Section::of("source", "storage", "blobs", text.parse().unwrap());
    Storage::with_credential(Settings::read(&section).unwrap(), Arc::new(Unsigned)).unwrap()
}

/// The blob of an hour of 16 July 2026.
fn blob(hour: u32) -> String {
    format!("tenantId={TENANT}/y=2026/m=07/d=16/h={hour:02}/m=00/PT1H.json")
}

/// Lines of an hour, each with its line end.
fn lines(hour: u32, numbers: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for number in numbers {
        let (minute, second) = (number / 60 % 60, number % 60);
        let at = format!("2026-07-16T{hour:02}:{minute:02}:{second:02}.1234567+00:00");
        write!(
            text,
            "{{\"time\":\"2026-07-16T{hour:02}:59:59Z\",\"resourceId\":\"/tenants/{TENANT}/providers/\
             Microsoft.aadiam\",\"operationName\":\"Sign-in activity\",\"category\":\
             \"ManagedIdentitySignInLogs\",\"tenantId\":\"{TENANT}\",\"properties\":{{\"id\":\
             \"{hour:08x}-0000-4000-8000-{number:012x}\",\"createdDateTime\":\"{at}\",\
             \"servicePrincipalId\":\"aa11bb22-0000-4000-8000-000000000001\",\"servicePrincipalName\":\
             \"func-orders\",\"status\":{{\"errorCode\":0}}}}}}\r\n"
        )
        .unwrap();
    }
    text
}

#[tokio::test]
async fn a_container_is_read_as_it_grows_and_over_a_restart() {
    let Some(azurite) = Azurite::start() else { return };
    let place = Place::of(&azurite).await;

    // Neither container is there: that is how an account looks before the first record.
    assert_eq!(place.count(now()).await, (0, 0));
    let told = place.source.check(now()).await.unwrap();
    assert!(told.contains(&format!("`{PRINCIPAL}` is not there yet")), "{told}");

    azurite.make_container(MANAGED).await;
    assert!(place.source.check(now()).await.unwrap().contains("nothing within `backfill`"));
    azurite.make_blob(MANAGED, &blob(13)).await;
    azurite.append(MANAGED, &blob(13), &lines(13, 0..10)).await;
    assert_eq!(place.count(now()).await, (10, 10));
    let told = place.source.check(now()).await.unwrap();
    assert!(told.contains("can be read, up to the hour of 2026-07-16 13:00"), "{told}");

    // Nothing new, then more of the same hour, and of it only the new.
    assert_eq!(place.count(now()).await, (0, 0));
    azurite.append(MANAGED, &blob(13), &lines(13, 10..13)).await;
    assert_eq!(place.count(now()).await, (3, 3));

    // A line that was not written to its end waits for the rest.
    let line = lines(13, 13..14);
    let (first, rest) = line.split_at(line.len() / 2);
    azurite.append(MANAGED, &blob(13), &format!("{}{first}", lines(13, 14..15))).await;
    assert_eq!(place.count(now()).await, (1, 1));
    assert_eq!(place.count(now()).await, (0, 0));
    let place = place.restarted(&azurite).await;
    assert_eq!(place.count(now()).await, (0, 0));
    azurite.append(MANAGED, &blob(13), rest).await;
    assert_eq!(place.count(now()).await, (1, 1));

    // A new hour, and the old one grows late, as it does after a backfill.
    azurite.make_blob(MANAGED, &blob(14)).await;
    azurite.append(MANAGED, &blob(14), &lines(14, 0..5)).await;
    azurite.append(MANAGED, &blob(13), &lines(13, 20..22)).await;
    assert_eq!(place.count(now() + TimeDelta::days(2)).await, (7, 7));

    // Made anew and shorter: all of it is read, and what is known is known.
    azurite.delete_blob(MANAGED, &blob(14)).await;
    azurite.make_blob(MANAGED, &blob(14)).await;
    azurite.append(MANAGED, &blob(14), &lines(14, 0..4)).await;
    assert_eq!(place.count(now() + TimeDelta::days(2)).await, (4, 0));

    // What is older than `recheck` is no longer looked at.
    azurite.append(MANAGED, &blob(13), &lines(13, 30..31)).await;
    assert_eq!(place.count(now() + TimeDelta::days(9)).await, (1, 1), "it was away for a week");
    azurite.append(MANAGED, &blob(13), &lines(13, 31..32)).await;
    assert_eq!(place.count(now() + TimeDelta::days(9)).await, (0, 0));
}

#[tokio::test]
async fn ten_thousand_lines_come_once_each_in_several_pieces() {
    let Some(azurite) = Azurite::start() else { return };
    let place = Place::of(&azurite).await;
    for container in [MANAGED, PRINCIPAL] {
        azurite.make_container(container).await;
    }
    azurite.make_blob(MANAGED, &blob(13)).await;
    let text = lines(13, 0..10_000);
    assert!(text.len() > 4 << 20, "one piece would hold all of it: {}", text.len());
    azurite.append(MANAGED, &blob(13), &text).await;
    assert_eq!(place.count(now()).await, (10_000, 10_000));
    assert_eq!(place.count(now()).await, (0, 0));
}

#[tokio::test]
async fn blobs_of_another_tenant_are_left_alone_and_named() {
    let Some(azurite) = Azurite::start() else { return };
    let place = Place::of(&azurite).await;
    azurite.make_container(MANAGED).await;
    let other = blob(13).replace(TENANT, "00000000-0000-4000-8000-000000000001");
    azurite.make_blob(MANAGED, &other).await;
    azurite.append(MANAGED, &other, &lines(13, 0..3)).await;
    assert_eq!(place.count(now()).await, (0, 0));
    let told = place.source.check(now()).await.unwrap_err().to_string();
    assert!(told.contains("check `tenant_id`") && told.contains("00000000-0000-4000"), "{told}");
}
