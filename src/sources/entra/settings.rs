//! The keys that say which tenant a source reads and what signs in to it.

use std::path::PathBuf;
use std::str::FromStr;

use toml::Value;

use super::certificate::Certificate;
use super::cloud::Cloud;
use super::credential::{Credential, UserAssigned};
use crate::config::Secret;
use crate::sources::keys::Keys;

const WRITE_TENANT: &str = "the tenant's id, such as \"72f988bf-86f1-41af-91ab-2d7cd011db47\"";
const WRITE_CLIENT: &str = "the client id of the application, a GUID";
const WRITE_KIND: &str = "\"managed_identity\", \"workload_identity\", \"client_secret\", \
                          \"client_certificate\" or \"azure_cli\"";

/// `tenant_id`: one tenant, by its id or a name of it.
pub(in crate::sources) fn tenant(keys: &mut Keys<'_>) -> Option<String> {
    let tenant = keys.required("tenant_id", WRITE_TENANT)?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !tenant.chars().all(is_word)
        || ["common", "organizations", "consumers"].contains(&tenant.to_lowercase().as_str())
    {
        keys.fault("tenant_id", &format!("is `{tenant}`, not one tenant; write {WRITE_TENANT}"));
        return None;
    }
    Some(tenant)
}

/// `cloud`: the global one where it is absent.
pub(in crate::sources) fn cloud(keys: &mut Keys<'_>) -> Cloud {
    let Some(text) = keys.text("cloud", "\"global\"") else { return Cloud::default() };
    Cloud::from_str(&text).unwrap_or_else(|sentence| {
        keys.sentence(&sentence);
        Cloud::default()
    })
}

/// `credential`, with `client_secret` of the section over the one in it.
pub(in crate::sources) fn credential(keys: &mut Keys<'_>) -> Option<Credential> {
    // The environment sets the keys of the section itself, so a secret from there arrives here.
    let secret = keys.secret("client_secret");
    let mut table = match keys.value("credential") {
        None => toml::Table::from_iter([("kind".to_owned(), "managed_identity".into())]),
        Some(Value::Table(table)) => table,
        Some(_) => {
            keys.fault("credential", "is not a table; write { kind = \"managed_identity\" }");
            return None;
        }
    };
    let kind = table.remove("kind");
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut own = keys.within("credential.", table);
    if secret.is_some() && kind != "client_secret" {
        own.sentence("`client_secret` is given, but `credential.kind` is another; take one away");
    }
    let (credential, known) = match kind {
        "managed_identity" => {
            (managed_identity(&mut own), "kind, client_id, object_id, resource_id")
        }
        "workload_identity" => {
            let client_id = own.guid("client_id", WRITE_CLIENT);
            let tenant_id = own.text("tenant_id", WRITE_TENANT);
            let token_file = own.path("token_file");
            let credential = Credential::WorkloadIdentity { client_id, tenant_id, token_file };
            (Some(credential), "kind, client_id, tenant_id, token_file")
        }
        "client_secret" => {
            (client_secret(&mut own, secret), "kind, client_id, client_secret, client_secret_file")
        }
        "client_certificate" => (client_certificate(&mut own), "kind, client_id, certificate_file"),
        "azure_cli" => (Some(Credential::AzureCli), "kind"),
        other => {
            keys.fault("credential.kind", &format!("is `{other}`; write {WRITE_KIND}"));
            return None;
        }
    };
    keys.join(own.finish(known));
    credential
}

fn managed_identity(keys: &mut Keys<'_>) -> Option<Credential> {
    let named: Vec<UserAssigned> = [
        keys.guid("client_id", "the client id of the identity").map(UserAssigned::Client),
        keys.guid("object_id", "the object id of the identity").map(UserAssigned::Object),
        keys.text("resource_id", "the Azure resource id of the identity")
            .map(UserAssigned::Resource),
    ]
    .into_iter()
    .flatten()
    .collect();
    if named.len() > 1 {
        keys.sentence(
            "`credential` names its identity more than once; write one of `client_id`, `object_id` \
             and `resource_id`",
        );
        return None;
    }
    Some(Credential::ManagedIdentity(named.into_iter().next()))
}

/// `over` is the secret from the environment, which goes over that of the file.
fn client_secret(keys: &mut Keys<'_>, over: Option<Secret>) -> Option<Credential> {
    let client_id = keys.required_guid("client_id", WRITE_CLIENT);
    let (value, file) = (keys.secret("client_secret"), keys.path("client_secret_file"));
    let picked = match over {
        Some(secret) => Ok(Some(secret)),
        None => Secret::pick("client_secret", value, file.as_deref()),
    };
    match picked {
        Ok(Some(secret)) if !secret.expose().is_empty() => {
            return Some(Credential::ClientSecret { client_id: client_id?, secret });
        }
        Ok(_) => {
            let variable = keys.variable("client_secret");
            keys.fault(
                "client_secret",
                &format!("is missing; write it, or `client_secret_file`, or set {variable}"),
            );
        }
        Err(sentence) => keys.sentence(&sentence),
    }
    None
}

fn client_certificate(keys: &mut Keys<'_>) -> Option<Credential> {
    let client_id = keys.required_guid("client_id", WRITE_CLIENT);
    let write = "the path of a PEM file with the private key and the certificate";
    let file = PathBuf::from(keys.required("certificate_file", write)?);
    if let Err(sentence) = Certificate::read(&file) {
        keys.sentence(&sentence);
        return None;
    }
    Some(Credential::ClientCertificate { client_id: client_id?, file })
}
