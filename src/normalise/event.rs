//! Turns the gathered values into an event.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::model::{Event, EventId, Facet, Identity, Rejected, Resource, SignInType};

use super::fields::{Fields, Mark};
use super::key::Key;
use super::{kind, result, time, value};

const NOBODY: &str = "it does not say who signed in: neither an id of its own nor one of an identity is there, so \
                      its `properties` may be missing; export it again with them";

pub(super) fn from_fields(mut fields: Fields<'_>) -> Result<Event<'_>, Rejected> {
    let kind = kind::sign_in_type(&fields)?;
    if let Some(reason) = fields.unread {
        return Err(Rejected::Broken(reason.to_owned()));
    }
    let created_at = created_at(&fields)?;
    let error_code = result::code(&fields)?;
    let tenant_id = tenant(&mut fields);
    let resource_id = target(&mut fields);
    let service_principal_name = fields.take(Key::ServicePrincipalName);
    let has_none = service_principal_name.is_empty() || value::says_none(&service_principal_name);
    let name = if has_none { fields.take(Key::AppDisplayName) } else { service_principal_name };
    let ip = value::ip(fields.take(Key::IpAddress));
    let ip_address = if ip.is_empty() { value::ip(fields.take(Key::CallerIpAddress)) } else { ip };
    let user = if kind.is_workload() {
        Cow::Borrowed("")
    } else {
        let name = fields.take(Key::UserPrincipalName);
        if name.is_empty() { fields.take(Key::UserId) } else { name }
    };
    let identity = Identity {
        tenant_id,
        service_principal_id: value::id(fields.take(Key::ServicePrincipalId)),
        app_id: value::id(fields.take(Key::AppId)),
        name,
        arm_resource_id: fields.take(Key::AssociatedResourceId),
    };
    let resource = resource(&mut fields, resource_id);
    let is_nobody = [&identity.service_principal_id, &identity.app_id, &identity.name, &user]
        .into_iter()
        .all(|text| text.is_empty());
    if is_nobody && !fields.has(Key::Id) && (fields.is(Mark::Properties) || fields.is_row()) {
        return Err(Rejected::Broken(NOBODY.to_owned()));
    }
    let mut event = Event {
        id: EventId([0; 16]),
        created_at,
        identity,
        resource,
        facet: Facet::default(),
        error_code,
        ip_address,
        user,
    };
    event.id = if fields.has(Key::Id) {
        EventId::from_text(fields.get(Key::Id))
    } else {
        digest(&event, kind, fields.get(Key::CorrelationId))
    };
    event.facet = facet(&mut fields, kind);
    if error_code != 0 && event.facet.failure_reason.is_empty() {
        event.facet.failure_reason = fields.take(Key::ResultDescription);
    }
    Ok(event)
}

fn resource<'a>(fields: &mut Fields<'a>, id: Cow<'a, str>) -> Resource<'a> {
    let resource_name = fields.take(Key::ResourceDisplayName);
    Resource {
        id,
        // In Log Analytics `Resource` is always the provider of the log.
        name: if resource_name.eq_ignore_ascii_case("Microsoft.aadiam") {
            Cow::Borrowed("")
        } else {
            resource_name
        },
        service_principal_id: value::id(fields.take(Key::ResourceServicePrincipalId)),
    }
}

fn facet<'a>(fields: &mut Fields<'a>, kind: SignInType) -> Facet<'a> {
    Facet {
        sign_in_type: Cow::Borrowed(kind.as_str()),
        client_credential_type: fields.take(Key::ClientCredentialType),
        credential_key_id: value::id(fields.take(Key::CredentialKeyId)),
        incoming_token_type: fields.take(Key::IncomingTokenType),
        token_issuer_type: fields.take(Key::TokenIssuerType),
        cross_tenant_access_type: fields.take(Key::CrossTenantAccessType),
        federated_credential_id: value::id(fields.take(Key::FederatedCredentialId)),
        federated_token_issuer: fields.take(Key::FederatedTokenIssuer),
        conditional_access_status: fields.take(Key::ConditionalAccessStatus),
        resource_tenant_id: value::id(fields.take(Key::ResourceTenantId)),
        app_owner_tenant_id: value::id(fields.take(Key::AppOwnerTenantId)),
        msi_type: lower(fields.take(Key::MsiType)),
        user_agent: fields.take(Key::UserAgent),
        country: fields.take(Key::Country),
        autonomous_system_number: fields.take(Key::AutonomousSystemNumber),
        failure_reason: fields.take(Key::FailureReason),
    }
}

fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        text
    }
}

/// When it happened: `createdDateTime`. The envelope's `time` is when it arrived, minutes later, and
/// serves only where the other is absent; so does `TimeGenerated` in Log Analytics.
fn created_at(fields: &Fields<'_>) -> Result<DateTime<Utc>, Rejected> {
    for (key, name) in [
        (Key::CreatedDateTime, "createdDateTime"),
        (Key::TimeGenerated, "TimeGenerated"),
        (Key::Time, "time"),
    ] {
        let text = fields.get(key);
        if text.is_empty() || time::is_unset(text) {
            continue;
        }
        return time::read(text).ok_or_else(|| {
            Rejected::Broken(format!("`{name}` holds `{}`, which is no time", value::shown(text)))
        });
    }
    Err(Rejected::Broken(
        "it has no time: neither `createdDateTime` nor `time` holds one".to_owned(),
    ))
}

/// The tenant whose log this is. In Log Analytics `TenantId` is the workspace.
fn tenant<'a>(fields: &mut Fields<'a>) -> Cow<'a, str> {
    let stated = if fields.is_row() { Key::AadTenantId } else { Key::TenantId };
    let stated = value::id(fields.take(stated));
    if value::is_guid(&stated) {
        return stated;
    }
    // What stands there may be a word; beside `properties` the path is the tenant's, or its id alone.
    let path = fields.get(Key::ResourceId);
    let of_path =
        value::tenant_of_path(path).or_else(|| fields.is(Mark::InEnvelope).then_some(path));
    let of_path = value::id(Cow::Owned(of_path.unwrap_or_default().to_owned()));
    let is_path_surer =
        value::is_guid(&of_path) || (stated.is_empty() && !of_path.starts_with('/'));
    if is_path_surer { of_path } else { stated }
}

/// The application that a token was asked for. Beside `properties`, `resourceId` is the tenant.
fn target<'a>(fields: &mut Fields<'a>) -> Cow<'a, str> {
    let inner = fields.take(Key::ResourceIdentity);
    if !inner.is_empty()
        || fields.is(Mark::InEnvelope)
        || fields.get(Key::ResourceId).starts_with('/')
    {
        return value::id(inner);
    }
    value::id(fields.take(Key::ResourceId))
}

/// An id for a sign-in without one: the same record always gets the same.
fn digest(event: &Event<'_>, kind: SignInType, correlation_id: &str) -> EventId {
    let mut content = String::with_capacity(256);
    for text in [
        kind.as_str(),
        &event.identity.service_principal_id,
        &event.identity.app_id,
        &event.identity.name,
        &event.resource.id,
        &event.resource.name,
        &event.user,
        &event.ip_address,
        correlation_id,
        &event.created_at.timestamp_micros().to_string(),
        &event.error_code.to_string(),
    ] {
        content.push_str(text);
        content.push('\n');
    }
    EventId::digest(content.as_bytes())
}
