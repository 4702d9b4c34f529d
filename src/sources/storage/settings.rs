//! The settings of a `[[source]]` of kind `storage`.

use std::path::Path;
use std::time::Duration;

use reqwest::Certificate;
use toml::Value;
use url::Url;

use crate::config::{Fault, Section, Span};
use crate::model::SignInType;
use crate::sources::entra;
use crate::sources::entra::{Cloud, Credential};
use crate::sources::keys::Keys;
use crate::sources::{Keep, Plan};

const KNOWN: &str = "tenant_id, cloud, account, endpoint, sign_in_types, containers, interval, \
                     backfill, recheck, stale_after, timeout, retry_wait, ca_file, credential, client_secret";

const WRITE_ACCOUNT: &str = "the name of the storage account, such as \"contosologs\"";

/// Records come minutes late into storage, and each read lists the blobs of a month.
const INTERVAL: Span = Span::seconds(2 * 60);

const RETRY_WAIT: Span = Span::seconds(5);

const DAY: u64 = 24 * 60 * 60;

/// What a source of kind `storage` is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) name: String,
    /// The tenant whose logs are read, in lower case as it is in the names of blobs.
    pub(super) tenant_id: String,
    pub(super) cloud: Cloud,
    /// For messages; absent where only `endpoint` is given.
    pub(super) account: Option<String>,
    /// Where the account is, without a slash at the end of its path.
    pub(super) endpoint: Url,
    /// A head is a container.
    pub(super) plan: Plan,
    /// For one request and its whole answer.
    pub(super) timeout: Duration,
    /// Trusted beside the certificates of the system.
    pub(super) authorities: Vec<Certificate>,
    pub(super) credential: Credential,
}

impl Settings {
    /// Reads a section; tells all that is wrong with it at once.
    pub fn read(section: &Section) -> Result<Self, Vec<Fault>> {
        let mut keys = Keys::of(section)?;
        let tenant_id = keys.required_guid("tenant_id", "the id of the tenant, a GUID");
        let cloud = entra::cloud(&mut keys);
        let (account, endpoint) = account(&mut keys, cloud);
        let second = Span::seconds(1);
        let plan = Plan {
            heads: containers(&mut keys),
            interval: keys.span("interval", INTERVAL, second),
            backfill: keys.span("backfill", Span::seconds(7 * DAY), second),
            overlap: Some(keys.span("recheck", Span::seconds(3 * DAY), Span::seconds(0))),
            // A file is looked at again as long as it may grow.
            sweeps: Vec::new(),
            stale_after: keys.span("stale_after", Span::seconds(30 * 60), second),
            keep: Keep::All,
            reconcile: false,
            // A blob holds an hour.
            window: Duration::from_hours(1),
            retry_wait: keys.span("retry_wait", RETRY_WAIT, Span::seconds(0)),
            reach: None,
        };
        let timeout = keys.span("timeout", Span::seconds(60), second);
        let authorities = authorities(&mut keys);
        let credential = entra::credential(&mut keys);
        let faults = keys.finish(KNOWN);
        match (tenant_id, endpoint, credential) {
            (Some(tenant_id), Some(endpoint), Some(credential)) if faults.is_empty() => {
                let name = section.name.clone();
                Ok(Self {
                    name,
                    tenant_id,
                    cloud,
                    account,
                    endpoint,
                    plan,
                    timeout,
                    authorities,
                    credential,
                })
            }
            _ => Err(faults),
        }
    }
}

/// The account by its name, or where it is.
fn account(keys: &mut Keys<'_>, cloud: Cloud) -> (Option<String>, Option<Url>) {
    let example = format!("https://contosologs.{}", cloud.blob_suffix());
    let is_given = keys.has("endpoint");
    let endpoint = keys.endpoint(&example);
    if endpoint.as_ref().is_some_and(|url| url.scheme() != "https") {
        keys.fault("endpoint", "is plain http, over which no token is sent; write https");
    }
    if !is_given && !keys.has("account") {
        keys.fault("account", &format!("is missing; write {WRITE_ACCOUNT}, or `endpoint`"));
    }
    let Some(account) = keys.text("account", WRITE_ACCOUNT) else { return (None, endpoint) };
    if !(3..=24).contains(&account.len())
        || !account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        keys.fault(
            "account",
            &format!(
                "is `{account}`, not 3 to 24 small letters and digits; write {WRITE_ACCOUNT}, and the \
                 URL of an account as `endpoint`"
            ),
        );
        return (None, endpoint);
    }
    let own = Url::parse(&format!("https://{account}.{}", cloud.blob_suffix())).ok();
    (Some(account), endpoint.or(own))
}

/// The containers by name, or those that diagnostic settings make for the sign-in types.
fn containers(keys: &mut Keys<'_>) -> Vec<String> {
    let write = "a list of names such as [\"insights-logs-managedidentitysigninlogs\"]";
    let given = keys.value("containers");
    if given.is_some() && keys.has("sign_in_types") {
        keys.sentence("`containers` and `sign_in_types` say the same in two ways; take one away");
    }
    let types = keys.sign_in_types();
    let names = match given {
        None => return types.into_iter().map(container).collect(),
        Some(Value::Array(names)) if !names.is_empty() => names,
        Some(_) => {
            keys.fault("containers", &format!("is not a list with something in it; write {write}"));
            return Vec::new();
        }
    };
    let mut containers: Vec<String> = Vec::new();
    for value in names {
        match value.as_str() {
            Some(name) if containers.iter().any(|other| other == name) => {
                keys.fault("containers", &format!("has `{name}` twice; write it once"));
            }
            Some(name) if is_container(name) => containers.push(name.to_owned()),
            _ => keys.fault(
                "containers",
                &format!("has {value}, which is not the name of a container; write {write}"),
            ),
        }
    }
    containers
}

fn is_container(name: &str) -> bool {
    let is_sign = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'$')
    };
    (3..=63).contains(&name.len()) && name.bytes().all(is_sign)
}

/// What diagnostic settings call the container of a sign-in type.
fn container(kind: SignInType) -> String {
    let log = match kind {
        SignInType::ManagedIdentity => "managedidentitysigninlogs",
        SignInType::ServicePrincipal => "serviceprincipalsigninlogs",
        SignInType::NonInteractiveUser => "noninteractiveusersigninlogs",
        SignInType::InteractiveUser => "signinlogs",
        SignInType::MicrosoftServicePrincipal => "microsoftserviceprincipalsigninlogs",
    };
    format!("insights-logs-{log}")
}

fn authorities(keys: &mut Keys<'_>) -> Vec<Certificate> {
    let Some(file) = keys.path("ca_file") else { return Vec::new() };
    certificates(&file).unwrap_or_else(|sentence| {
        keys.sentence(&sentence);
        Vec::new()
    })
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let shown = file.display();
    let pem =
        std::fs::read(file).map_err(|error| format!("cannot read `ca_file` {shown}: {error}"))?;
    Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty()).ok_or_else(|| {
        format!(
            "`ca_file` {shown} holds no certificate: write the PEM file of the authority that signed \
             for `endpoint`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72F988BF-86f1-41af-91ab-2d7cd011db47";

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let section = Section::of("source", "storage", "blobs", text.parse().unwrap());
        Settings::read(&section)
            .map_err(|faults| faults.into_iter().map(|fault| fault.to_string()).collect())
    }

    #[test]
    fn a_tenant_and_an_account_are_enough() {
        let text = format!("tenant_id = \"{TENANT}\"\naccount = \"contosologs\"\n");
        let settings = read(&text).unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://contosologs.blob.core.windows.net/");
        assert_eq!(settings.tenant_id, TENANT.to_lowercase());
        assert_eq!(
            settings.plan.heads,
            ["insights-logs-managedidentitysigninlogs", "insights-logs-serviceprincipalsigninlogs"]
        );
        assert_eq!(settings.plan.overlap, Some(Duration::from_hours(72)));
        let other = read(&format!(
            "{text}cloud = \"china\"\nrecheck = \"1d\"\nsign_in_types = [\"interactiveUser\"]"
        ))
        .unwrap();
        assert_eq!(other.endpoint.as_str(), "https://contosologs.blob.core.chinacloudapi.cn/");
        assert_eq!(other.plan.heads, ["insights-logs-signinlogs"]);
        assert_eq!(other.plan.overlap, Some(Duration::from_hours(24)));
    }

    #[test]
    fn everything_wrong_is_told_at_once_by_its_key() {
        let told = read(
            "tenant_id = \"contoso\"\naccount = \"https://contosologs\"\n\
             endpoint = \"http://127.0.0.1:10000\"\ncontainers = [\"Logs\", 3]\n\
             sign_in_types = [\"managedIdentity\"]\nca_file = \"/absent\"\noverlap = \"1d\"\n",
        )
        .unwrap_err();
        for key in [
            "`tenant_id` is `contoso`, which is not a GUID",
            "`account` is `https://contosologs`, not 3 to 24",
            "`endpoint` is plain http",
            "`containers` and `sign_in_types` say the same",
            "`containers` has \"Logs\"",
            "`containers` has 3",
            "cannot read `ca_file` /absent",
            "`overlap` is not known here",
        ] {
            let count = told.iter().filter(|fault| fault.contains(key)).count();
            assert_eq!(count, 1, "{key}: {told:#?}");
        }
        assert_eq!(told.len(), 8, "{told:#?}");
        let told = read(&format!("tenant_id = \"{TENANT}\"")).unwrap_err();
        assert!(told[0].contains("`account` is missing"), "{told:?}");
    }
}
