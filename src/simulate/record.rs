//! Writes a sign-in as Graph does: the beta `signIn` resource with all that is empty for workloads.
//!
//! Source: `resources/signin.md` of the Graph beta reference; which fields are blank follows published
//! records.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::SecondsFormat;

use super::chance::Chance;
use super::fleet::{Fleet, Identity, Proof, SignIn};
use crate::model::SignInType;

/// The tenant that owns Microsoft's own services.
const MICROSOFT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// Parts that are the same for every workload, in the order in which Graph gives them.
const NOTHING_OF_A_USER: &str = r#""riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","riskEventTypes_v2":[],"flaggedForReview":false,"authenticationProtocol":"none","signInTokenProtectionStatus":"none","isThroughGlobalSecureAccess":false,"agent":{"agentType":"notAgentic","parentAppId":null},"deviceDetail":{"deviceId":"","displayName":null,"operatingSystem":null,"browser":null,"isCompliant":false,"isManaged":false,"trustType":null},"appliedConditionalAccessPolicies":[],"authenticationContextClassReferences":[],"authenticationProcessingDetails":[],"authenticationDetails":[]"#;

/// The record on one line.
pub(super) fn json(fleet: &Fleet, sign_in: &SignIn, chance: &mut Chance) -> String {
    let identity = &fleet.identities[sign_in.identity];
    let id = chance.guid();
    let mut json = String::with_capacity(2_700);
    write(&mut json, fleet, sign_in, identity, id, chance).expect("a string takes everything");
    json
}

fn write(
    json: &mut String,
    fleet: &Fleet,
    sign_in: &SignIn,
    identity: &Identity,
    id: uuid::Uuid,
    chance: &mut Chance,
) -> std::fmt::Result {
    let is_user = !sign_in.kind.is_workload();
    let at = sign_in.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let app_id = sign_in.app_id.unwrap_or(identity.app_id);
    let name = &identity.name;
    let tenant = fleet.tenant_id;
    let token = URL_SAFE_NO_PAD.encode(id.to_bytes_le());
    let ip = sign_in.ip_address.as_ref().unwrap_or(&identity.ip_address);
    let user = sign_in.user.as_deref().unwrap_or_default();
    let user_json = if is_user { format!("\"{user}\"") } else { "null".to_owned() };
    // An application that the tenant does not know has neither a principal nor a name there.
    let is_unknown = sign_in.app_id.is_some() && !is_user;
    let (principal, shown) = if is_user || is_unknown {
        (String::new(), "")
    } else {
        (identity.service_principal_id.to_string(), name.as_str())
    };
    write!(
        json,
        r#"{{"id":"{id}","createdDateTime":"{at}","userDisplayName":{user_json},"userPrincipalName":{user_json},"userId":"","appId":"{app_id}","appDisplayName":"{shown}","ipAddress":"{ip}","clientAppUsed":null,"userAgent":null,"correlationId":"{}","conditionalAccessStatus":"{}","originalRequestId":"{id}","isInteractive":false,"tokenIssuerName":"","tokenIssuerType":"AzureAD","clientCredentialType":"{}","processingTimeInMilliseconds":{},"#,
        chance.guid(),
        if sign_in.code == 53003 { "failure" } else { "notApplied" },
        credential_type(identity, is_user),
        20 + chance.below(280),
    )?;
    write!(
        json,
        r#""resourceDisplayName":"{}","resourceId":"{}","resourceTenantId":"{tenant}","homeTenantId":"{tenant}","servicePrincipalName":"{shown}","signInEventTypes":["{}"],"servicePrincipalId":"{principal}","federatedCredentialId":"{}","userType":null,"autonomousSystemNumber":{},"crossTenantAccessType":"none","servicePrincipalCredentialKeyId":"{}","servicePrincipalCredentialThumbprint":"","uniqueTokenIdentifier":"{token}","incomingTokenType":"none","resourceServicePrincipalId":"{}","appOwnerTenantId":"{tenant}","resourceOwnerTenantId":"{MICROSOFT}","#,
        sign_in.resource.name,
        sign_in.resource.id,
        sign_in.kind,
        federated(identity),
        if ip.is_empty() { "null".to_owned() } else { autonomous_system(ip).to_string() },
        credential_key(identity, sign_in),
        resource_principal(fleet, sign_in),
    )?;
    json.push_str(NOTHING_OF_A_USER);
    let (country, city) =
        if ip.is_empty() { ("", "") } else { (sign_in.country, city(sign_in.country)) };
    write!(
        json,
        r#","status":{{"errorCode":{},"failureReason":"{}","additionalDetails":null}},"location":{{"city":"{city}","state":"{city}","countryOrRegion":"{country}","geoCoordinates":{{"altitude":null,"latitude":0.0,"longitude":0.0}}}},"managedServiceIdentity":{}}}"#,
        sign_in.code,
        reason(sign_in.code),
        managed(identity, is_unknown),
    )
}

fn credential_type(identity: &Identity, is_user: bool) -> &'static str {
    match identity.proof {
        _ if is_user => "none",
        Proof::ManagedIdentity => "managedIdentity",
        Proof::Secret => "clientSecret",
        Proof::Certificate => "certificate",
        Proof::Federation => "federatedIdentityCredential",
    }
}

fn credential_key(identity: &Identity, sign_in: &SignIn) -> String {
    match identity.proof {
        Proof::Secret | Proof::Certificate if sign_in.kind == SignInType::ServicePrincipal => {
            sign_in.credential_key_id.unwrap_or(identity.credential_key_id).to_string()
        }
        _ => String::new(),
    }
}

fn federated(identity: &Identity) -> String {
    match identity.proof {
        Proof::Federation => identity.credential_key_id.to_string(),
        _ => String::new(),
    }
}

/// The same for a service in a tenant, always.
fn resource_principal(fleet: &Fleet, sign_in: &SignIn) -> uuid::Uuid {
    let service = u128::from_str_radix(&sign_in.resource.id.replace('-', ""), 16).unwrap_or(0);
    uuid::Builder::from_random_bytes((service ^ fleet.tenant_id.as_u128()).to_be_bytes())
        .into_uuid()
}

fn managed(identity: &Identity, is_unknown: bool) -> String {
    let kind = match identity.proof {
        Proof::ManagedIdentity if identity.is_user_assigned => "userAssigned",
        Proof::ManagedIdentity => "systemAssigned",
        _ => "none",
    };
    let arm = if is_unknown { "" } else { &identity.arm_resource_id };
    format!(
        r#"{{"msiType":"{kind}","associatedResourceId":"{arm}","federatedTokenId":null,"federatedTokenIssuer":null}}"#
    )
}

/// Of the ranges kept for documentation (RFC 5398).
fn autonomous_system(ip: &str) -> u32 {
    64_496 + u32::from(ip.as_bytes().first().copied().unwrap_or(0)) % 16
}

fn city(country: &str) -> &'static str {
    match country {
        "NL" => "Rotterdam",
        "SE" => "Gothenburg",
        "BR" => "Santos",
        _ => "",
    }
}

/// In Graph's place for it, in our words.
fn reason(code: i64) -> &'static str {
    match code {
        0 => "Other.",
        700_016 => "The application was not found in the directory.",
        50_020 => "The user's account does not exist in the tenant and cannot use the application.",
        7_000_215 => "The client secret is not the right one.",
        7_000_222 => "The client secret is expired.",
        1_000_502 => "The certificate is not within its time of validity.",
        700_213 => "No federated credential of the application matches the subject of the token.",
        7_000_112 => "The application is disabled.",
        500_011 => "The resource was not found in the tenant.",
        53_003 => "Access was blocked by a Conditional Access policy.",
        90_033 | 90_025 => "A transient error occurred; try again.",
        50_196 => "The client made the same request in a loop.",
        _ => "The request failed.",
    }
}
