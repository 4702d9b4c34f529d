//! The settings of a `[[source]]` of kind `graph`.

use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use crate::config::{Fault, Section, Span};
use crate::sources::entra;
use crate::sources::entra::{Cloud, Credential};
use crate::sources::keys::Keys;
use crate::sources::{Keep, Plan};

const KNOWN: &str = "tenant_id, cloud, endpoint, scope, sign_in_types, interval, backfill, overlap, \
                     sweeps, stale_after, keep, reconcile, window, page_size, requests_per_10s, timeout, retry_wait, reach, credential, \
                     client_secret";

/// Graph often says no time with a 429; what it counts, the last 10 s, is over after this.
const RETRY_WAIT: Span = Span::seconds(10);

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Graph shows most records within minutes, some within hours, a few within days.
const SWEEPS: [Span; 3] = [Span::seconds(2 * HOUR), Span::seconds(DAY), Span::seconds(3 * DAY)];

/// What a source of kind `graph` is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) name: String,
    pub(super) tenant_id: String,
    pub(super) cloud: Cloud,
    /// Where Graph is, without a slash at the end of its path.
    pub(super) endpoint: Url,
    pub(super) scope: String,
    pub(super) plan: Plan,
    pub(super) page_size: u32,
    pub(super) requests_per_10s: NonZeroU32,
    /// For one request and its whole answer.
    pub(super) timeout: Duration,
    pub(super) credential: Credential,
}

impl Settings {
    /// Reads a section; tells all that is wrong with it at once.
    pub fn read(section: &Section) -> Result<Self, Vec<Fault>> {
        let mut keys = Keys::of(section)?;
        let tenant_id = entra::tenant(&mut keys);
        let cloud = entra::cloud(&mut keys);
        let endpoint =
            keys.endpoint(cloud.graph_root()).or_else(|| Url::parse(cloud.graph_root()).ok());
        let scope = keys
            .text("scope", "the application ID URI of Graph with /.default behind it")
            .unwrap_or_else(|| cloud.scope());
        let second = Span::seconds(1);
        let plan = Plan {
            heads: keys.sign_in_types().iter().map(ToString::to_string).collect(),
            interval: keys.span("interval", Span::seconds(60), second),
            backfill: keys.span("backfill", Span::seconds(7 * DAY), second),
            overlap: keys.maybe_span("overlap", Span::seconds(0)),
            sweeps: keys.spans("sweeps", &SWEEPS, Span::seconds(60)),
            keep: keep(&mut keys),
            reconcile: keys.flag("reconcile"),
            stale_after: keys.span("stale_after", Span::seconds(30 * 60), second),
            window: keys.span("window", Span::seconds(DAY), Span::seconds(60)),
            retry_wait: keys.span("retry_wait", RETRY_WAIT, Span::seconds(0)),
            reach: Some(keys.span("reach", Span::seconds(30 * DAY), second)),
        };
        let page_size = keys.number("page_size", 1000, 1..=1000);
        let requests = keys.number("requests_per_10s", 5, 1..=10_000);
        let timeout = keys.span("timeout", Span::seconds(5 * 60), second);
        let credential = entra::credential(&mut keys);
        let faults = keys.finish(KNOWN);
        match (tenant_id, endpoint, credential, NonZeroU32::new(requests)) {
            (Some(tenant_id), Some(endpoint), Some(credential), Some(requests_per_10s))
                if faults.is_empty() =>
            {
                let name = section.name.clone();
                Ok(Self {
                    name,
                    tenant_id,
                    cloud,
                    endpoint,
                    scope,
                    plan,
                    page_size,
                    requests_per_10s,
                    timeout,
                    credential,
                })
            }
            _ => Err(faults),
        }
    }
}

fn keep(keys: &mut Keys<'_>) -> Keep {
    let write = "\"all\" or \"failures\"";
    match keys.text("keep", write).as_deref() {
        None | Some("all") => Keep::All,
        Some("failures") => Keep::Failures,
        Some(other) => {
            keys.fault("keep", &format!("is `{other}`; write {write}"));
            Keep::All
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Clock;

    const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let section = Section::of("source", "graph", "prod", text.parse().unwrap());
        Settings::read(&section)
            .map_err(|faults| faults.into_iter().map(|fault| fault.to_string()).collect())
    }

    #[test]
    fn a_tenant_is_enough() {
        let settings = read("tenant_id = \"contoso.onmicrosoft.com\"").unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://graph.microsoft.com/");
        assert_eq!(settings.scope, "https://graph.microsoft.com/.default");
        assert_eq!(settings.plan.heads, ["managedIdentity", "servicePrincipal"]);
        assert_eq!(settings.plan.window, Duration::from_hours(24));
        assert_eq!((settings.page_size, settings.requests_per_10s.get()), (1000, 5));
        assert!(matches!(settings.credential, Credential::ManagedIdentity(None)));
    }

    #[test]
    fn everything_wrong_is_told_at_once_by_its_key() {
        let told = read(
            "cloud = \"mars\"\nendpoint = \"http://graph.example\"\nsign_in_types = [\"robot\"]\n\
             interval = \"soon\"\nwindow = \"1s\"\npage_size = 1001\nrequests_per_10s = 0\n\
             timeout = 5\ntennant = \"x\"\nclient_secret = 17\n\
             [credential]\nkind = \"client_certificate\"\nclient_id = \"me\"\nsecret = \"hunter2\"\n",
        )
        .unwrap_err();
        for key in [
            "`tenant_id` is missing",
            "`cloud` is `mars`",
            "`endpoint` would send the token over plain http",
            "`robot` is not a sign-in type",
            "`interval` is wrong: `soon` is not a span",
            "`window` is `1s`; write at least 60s",
            "`page_size` is 1001; write a whole number from 1 to 1000",
            "`requests_per_10s` is 0",
            "`timeout` is wrong: `5`",
            "`tennant` is not known here",
            "`client_secret` is not a text",
            "`credential.client_id` is `me`, which is not a GUID",
            "`credential.certificate_file` is missing",
            "`credential.secret` is not known here; the keys are kind, client_id, certificate_file",
        ] {
            let count = told.iter().filter(|fault| fault.contains(key)).count();
            assert_eq!(count, 1, "{key}: {told:#?}");
        }
        assert_eq!(told.len(), 14, "{told:#?}");
        assert!(told.iter().all(|fault| fault.starts_with("[[source]] `prod`: ")));
        assert!(!told.iter().any(|fault| fault.contains("hunter2") || fault.contains("17")));
    }

    #[test]
    fn the_scope_stays_that_of_the_cloud_under_another_endpoint() {
        let text =
            "tenant_id = \"t\"\ncloud = \"us_gov_dod\"\nendpoint = \"http://127.0.0.1:8080/\"";
        let settings = read(text).unwrap();
        assert_eq!(settings.scope, "https://dod-graph.microsoft.us/.default");
        assert_eq!(settings.endpoint.port(), Some(8080));
        let own = read(&format!("{text}\nscope = \"api://mine/.default\"")).unwrap();
        assert_eq!(own.scope, "api://mine/.default");
        for bad in ["ftp://127.0.0.1", "https://me:pw@graph.example", "https://graph.example/?a=b"]
        {
            assert!(read(&format!("tenant_id = \"t\"\nendpoint = \"{bad}\"")).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_credential_is_read_and_counted_by_its_application() {
        let certificate =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificate-for-tests-only.pem");
        for (text, identity) in [
            ("kind = \"managed_identity\"".to_owned(), "managed identity".to_owned()),
            (
                format!("kind = \"managed_identity\"\nclient_id = \"{CLIENT}\""),
                format!("client {CLIENT}"),
            ),
            ("kind = \"workload_identity\"".to_owned(), "workload identity".to_owned()),
            (
                format!(
                    "kind = \"client_secret\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"s\""
                ),
                format!("client {CLIENT}"),
            ),
            (
                format!(
                    "kind = \"client_certificate\"\nclient_id = \"{CLIENT}\"\n\
                     certificate_file = '{certificate}'"
                ),
                format!("client {CLIENT}"),
            ),
            ("kind = \"azure_cli\"".to_owned(), "azure cli".to_owned()),
        ] {
            let settings = read(&format!("tenant_id = \"t\"\n[credential]\n{text}")).unwrap();
            assert_eq!(settings.credential.identity(), identity);
        }
    }

    #[test]
    fn a_credential_that_finds_nothing_here_says_what_to_do() {
        let text = "tenant_id = \"t\"\n[credential]\nkind = \"workload_identity\"\n\
                    token_file = \"/absent\"\nclient_id = \"11111111-2222-3333-4444-555555555555\"";
        let section = Section::of("source", "graph", "prod", text.parse().unwrap());
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        let faults = crate::sources::build(&section, &clock).err().unwrap();
        assert!(faults[0].to_string().contains("`token_file` into `credential`"), "{faults:?}");
        let other = Section::of("source", "kafka", "prod", toml::Table::new());
        let faults = crate::sources::build(&other, &clock).err().unwrap();
        assert!(faults[0].to_string().contains("`kafka`"), "{faults:?}");
    }

    #[test]
    fn a_secret_comes_from_the_section_a_file_or_the_environment_and_is_never_shown() {
        let client = format!("[credential]\nkind = \"client_secret\"\nclient_id = \"{CLIENT}\"\n");
        let secret_of = |text: &str| match read(text).unwrap().credential {
            Credential::ClientSecret { secret, .. } => secret.expose().to_owned(),
            other => panic!("{other:?}"),
        };
        let over = format!("tenant_id = \"t\"\nclient_secret = \"over\"\n{client}");
        assert_eq!(secret_of(&over), "over");
        assert_eq!(secret_of(&format!("{over}client_secret = \"under\"")), "over");
        assert!(!format!("{:?}", read(&over).unwrap()).contains("over\""));
        let missing = read(&format!("tenant_id = \"t\"\n{client}")).unwrap_err();
        assert!(missing[0].contains("SIGNINEL_SOURCE_PROD_CLIENT_SECRET"), "{missing:?}");
        let stray = read("tenant_id = \"t\"\nclient_secret = \"over\"").unwrap_err();
        assert!(stray[0].contains("`credential.kind` is another"), "{stray:?}");
    }
}
