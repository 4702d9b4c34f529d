//! Writes one sign-in as a page of Graph's beta `signIns` has it, byte for byte.

use std::fmt::Write;

use chrono::Datelike;
use uuid::Uuid;

use super::Attempt;
use super::TENANT_ID;
use super::fleet::{Credential, Identity};
use super::place::Address;
use super::target::failure_reason;
use super::tick;
use crate::model::SignInType;

/// About the length of a record.
pub(super) const USUAL_LENGTH: usize = 2_560;

const NOTHING_APPLIED: &str = r#""appliedConditionalAccessPolicies":[],"#;
const BLOCKED: &str = concat!(
    r#""appliedConditionalAccessPolicies":[{"id":"808d1fe8-2d23-4a7e-93df-f356d99d0c09","#,
    r#""displayName":"Workloads only from our networks","enforcedGrantControls":["Block"],"#,
    r#""enforcedSessionControls":[],"result":"failure","conditionsSatisfied":"application,location","#,
    r#""conditionsNotSatisfied":"none"}],"#,
);

/// Appends the record of an attempt.
pub(super) fn write(out: &mut String, attempt: &Attempt) {
    let mut record = Record { out, attempt, who: &attempt.who };
    record.head();
    record.caller();
    record.proof();
    record.resource();
    record.identity();
    record.outcome();
    record.tail();
}

struct Record<'o> {
    out: &'o mut String,
    attempt: &'o Attempt,
    who: &'o Identity,
}

impl Record<'_> {
    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// `"key":"value",` where the value needs no escaping.
    fn plain(&mut self, key: &str, value: &str) {
        self.raw("\"");
        self.raw(key);
        self.raw("\":\"");
        self.raw(value);
        self.raw("\",");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw("\"");
        self.raw(key);
        self.raw("\":\"");
        escape(self.out, value);
        self.raw("\",");
    }

    fn guid(&mut self, key: &str, value: Option<Uuid>) {
        let mut buffer = [0; 36];
        let text = value.map_or("", |guid| guid.hyphenated().encode_lower(&mut buffer));
        self.plain(key, text);
    }

    fn is_user(&self) -> bool {
        self.who.user.is_some()
    }

    fn head(&mut self) {
        self.raw("{");
        self.guid("id", Some(Uuid::from_bytes(self.attempt.id)));
        self.raw("\"createdDateTime\":\"");
        moment(self.out, self.attempt.at);
        self.raw("\",");
        let user = self.who.user.as_ref();
        self.text("userDisplayName", user.map_or("", |user| &user.display_name));
        self.text("userPrincipalName", user.map_or("", |user| &user.principal_name));
        self.guid("userId", user.map(|user| user.id));
        self.guid("appId", Some(self.who.app_id));
        self.text("appDisplayName", &self.who.name);
    }

    fn caller(&mut self) {
        match self.who.address {
            None => self.plain("ipAddress", ""),
            Some(Address { place, host }) => {
                self.raw("\"ipAddress\":\"");
                self.raw(place.network);
                if place.network.ends_with(':') {
                    write!(self.out, "{host:x}").expect("a string takes all");
                } else {
                    number(self.out, host.into());
                }
                self.raw("\",");
            }
        }
        self.raw(if self.is_user() {
            concat!(
                r#""clientAppUsed":"Mobile Apps and Desktop clients","#,
                r#""userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)","#
            )
        } else {
            r#""clientAppUsed":null,"userAgent":null,"#
        });
        self.guid("correlationId", Some(self.attempt.correlation_id));
        self.plain(
            "conditionalAccessStatus",
            if self.attempt.code == 53_003 { "failure" } else { "notApplied" },
        );
        self.raw(r#""isInteractive":false,"tokenIssuerType":"AzureAD","#);
    }

    fn proof(&mut self) {
        let kind = match &self.who.credential {
            Credential::Managed => "none",
            Credential::Secret { .. } => "clientSecret",
            Credential::Certificate { .. } => "clientAssertion",
            Credential::Federated { .. } => "federatedIdentityCredential",
        };
        self.plain("clientCredentialType", kind);
        self.raw("\"processingTimeInMilliseconds\":");
        // From the id, so that it needs no draw of its own.
        number(self.out, 40 + u32::from(self.attempt.id[1]));
        self.raw(",\"riskDetail\":\"none\",");
        self.plain("riskLevelAggregated", self.who.risk);
        self.plain("riskLevelDuringSignIn", self.who.risk);
        self.raw(r#""riskState":"none","riskEventTypes_v2":[],"#);
        let (key, thumbprint, federated) = match &self.who.credential {
            // The service finds no key to name where the application or its secret is not known.
            Credential::Secret { .. } if matches!(self.attempt.code, 7_000_215 | 700_016) => {
                (None, None, None)
            }
            Credential::Secret { key_id } => (Some(*key_id), None, None),
            Credential::Certificate { key_id } => (Some(*key_id), Some(*key_id), None),
            // The federated credentials of a managed identity are Azure's: they have names, and no ids.
            Credential::Federated { id, .. }
                if self.attempt.code == 0 && !self.who.is_managed() =>
            {
                (None, None, Some(*id))
            }
            Credential::Federated { .. } | Credential::Managed => (None, None, None),
        };
        self.guid("servicePrincipalCredentialKeyId", key);
        self.raw("\"servicePrincipalCredentialThumbprint\":\"");
        if let Some(key) = thumbprint {
            let mut buffer = [0; 32];
            self.out.push_str(key.simple().encode_upper(&mut buffer));
            // 20 bytes in all, as SHA-1 has.
            let (high, _) = key.as_u64_pair();
            write!(self.out, "{:08X}", high >> 32).expect("a string takes all");
        }
        self.raw("\",");
        self.guid("federatedCredentialId", federated);
    }

    fn resource(&mut self) {
        let target = self.attempt.target;
        self.plain("resourceDisplayName", target.name);
        self.plain("resourceId", target.app_id);
        self.plain("resourceServicePrincipalId", target.object_id);
        self.plain("resourceTenantId", TENANT_ID);
        match &self.who.user {
            Some(user) => self.guid("homeTenantId", Some(user.home_tenant_id)),
            None => self.plain("homeTenantId", TENANT_ID),
        }
        self.plain("appOwnerTenantId", TENANT_ID);
    }

    fn identity(&mut self) {
        self.raw(
            r#""authenticationMethodsUsed":[],"authenticationRequirement":"singleFactorAuthentication","signInIdentifier":"","#,
        );
        let of_a_user = self.is_user();
        self.text("servicePrincipalName", if of_a_user { "" } else { &self.who.name });
        self.raw("\"signInEventTypes\":[\"");
        self.raw(self.who.kind.as_str());
        self.raw("\"],");
        self.guid("servicePrincipalId", self.who.service_principal_id);
        self.raw(if of_a_user { r#""userType":"guest","# } else { r#""userType":null,"# });
        self.raw(
            r#""flaggedForReview":false,"isTenantRestricted":false,"autonomousSystemNumber":"#,
        );
        match self.who.address {
            None => self.raw("null"),
            Some(Address { place, .. }) => number(self.out, place.system),
        }
        let crossing = if of_a_user { "b2bCollaboration" } else { self.who.crossing };
        self.raw(",");
        self.plain("crossTenantAccessType", crossing);
        self.raw("\"uniqueTokenIdentifier\":\"");
        token_identifier(self.out, self.attempt.id);
        self.raw("\",");
        self.plain("incomingTokenType", if of_a_user { "refreshToken" } else { "none" });
        self.plain("authenticationProtocol", "none");
        self.raw(r#""signInTokenProtectionStatus":"none","sessionId":"","#);
    }

    fn outcome(&mut self) {
        self.raw("\"status\":{\"errorCode\":");
        number(self.out, u32::try_from(self.attempt.code).unwrap_or(0));
        self.raw(",");
        self.plain("failureReason", failure_reason(self.attempt.code));
        self.raw(concat!(
            r#""additionalDetails":null},"deviceDetail":{"deviceId":"","displayName":"","operatingSystem":"","#,
            r#""browser":"","isCompliant":false,"isManaged":false,"trustType":""},"location":{"#
        ));
        match self.who.address {
            None => self.raw(concat!(
                r#""city":"","state":"","countryOrRegion":"","geoCoordinates":"#,
                r#"{"altitude":null,"latitude":0.0,"longitude":0.0}},"#
            )),
            Some(Address { place, .. }) => {
                self.plain("city", place.city);
                self.plain("state", place.state);
                self.plain("countryOrRegion", place.country);
                self.raw(r#""geoCoordinates":{"altitude":null,"latitude":"#);
                self.raw(place.latitude);
                self.raw(",\"longitude\":");
                self.raw(place.longitude);
                self.raw("}},");
            }
        }
        self.raw(if self.attempt.code == 53_003 { BLOCKED } else { NOTHING_APPLIED });
    }

    fn tail(&mut self) {
        self.raw(r#""authenticationProcessingDetails":["#);
        if !self.who.is_managed() {
            self.raw(r#"{"key":"Azure AD App Authentication Library","value":"Family: MSAL Library: MSAL.NetCore 4.66.1"}"#);
        }
        self.raw(concat!(
            r#"],"networkLocationDetails":[],"authenticationDetails":[],"sessionLifetimePolicies":[],"#,
            r#""agent":{"agentType":"notAgentic","parentAppId":null},"managedServiceIdentity":{"msiType":""#
        ));
        self.raw(match (self.who.kind, self.who.user_assigned) {
            (SignInType::ManagedIdentity, false) => "systemAssigned",
            (SignInType::ManagedIdentity, true) => "userAssigned",
            _ => "none",
        });
        self.raw("\",");
        self.text("associatedResourceId", &self.who.arm_resource_id);
        self.raw("\"federatedTokenId\":\"\",\"federatedTokenIssuer\":\"");
        if let Credential::Federated { issuer, .. } = &self.who.credential {
            self.raw(issuer);
        }
        self.raw("\"}}");
    }
}

/// A time with up to seven digits of a second, without the zeros at its end.
fn moment(out: &mut String, ticks: i64) {
    let day = tick::to_time(tick::day_of(ticks) * tick::DAY).date_naive();
    padded(out, u32::try_from(day.year()).unwrap_or(0), 4);
    out.push('-');
    padded(out, day.month(), 2);
    out.push('-');
    padded(out, day.day(), 2);
    let within = ticks.rem_euclid(tick::DAY);
    for (mark, unit, round) in
        [('T', tick::HOUR, 24), (':', tick::MINUTE, 60), (':', tick::SECOND, 60)]
    {
        out.push(mark);
        padded(out, u32::try_from(within / unit % round).expect("at most 59"), 2);
    }
    let fraction = u32::try_from(within % tick::SECOND).expect("seven digits");
    if fraction > 0 {
        out.push('.');
        padded(out, fraction, 7);
        out.truncate(out.trim_end_matches('0').len());
    }
    out.push('Z');
}

fn number(out: &mut String, value: u32) {
    let digits = value.checked_ilog10().map_or(1, |log| log as usize + 1);
    padded(out, value, digits);
}

fn padded(out: &mut String, mut value: u32, digits: usize) {
    let mut buffer = [b'0'; 10];
    for place in buffer[..digits].iter_mut().rev() {
        *place = b'0' + u8::try_from(value % 10).expect("one digit");
        value /= 10;
    }
    out.push_str(str::from_utf8(&buffer[..digits]).expect("digits are ASCII"));
}

/// `uniqueTokenIdentifier` is the id again: its bytes in the order of a Windows GUID, in base64url.
fn token_identifier(out: &mut String, id: [u8; 16]) {
    use base64::Engine;
    let bytes = Uuid::from_bytes(id).to_bytes_le();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode_string(bytes, out);
}

fn escape(out: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        out.push_str(&rest[..at]);
        let special = rest.as_bytes()[at];
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => write!(out, "\\u{special:04x}").expect("a string takes all"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_without_needless_digits() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (17_953_056_001_234_500, "2026-11-22T00:00:00.12345Z"),
            (17_953_056_001_234_567 - 17_953_056_000_000_000, "1970-01-01T00:00:00.1234567Z"),
        ];
        for (ticks, expected) in cases {
            let mut out = String::new();
            moment(&mut out, ticks);
            assert_eq!(out.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), tick::to_time(ticks));
            if ticks < tick::DAY {
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn what_json_forbids_in_a_string_is_escaped() {
        for text in ["plain", "a \"quoted\" name", "C:\\jobs", "tab\tand\nline", "Überfähre ⛴"]
        {
            let mut out = String::from("\"");
            escape(&mut out, text);
            out.push('"');
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn the_token_identifier_is_the_id_in_the_order_of_windows() {
        let mut out = String::new();
        token_identifier(
            &mut out,
            Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10).into_bytes(),
        );
        assert_eq!(out, "BAMCAQYFCAcJCgsMDQ4PEA");
    }
}
