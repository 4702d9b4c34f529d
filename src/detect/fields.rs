//! The fields that rules may name, and where in an event each is found.
//!
//! A field has the name it has in Graph's `signIn`; the column of the Log Analytics tables, the path in
//! a diagnostic-settings record and Elastic's name mean the same. `identity`, `resource`, `address`, `outcome`, `errorClass` and `errorKnown` are ours.

use std::borrow::Cow;

use rsigma_eval::event::{Event, EventValue};
use serde_json::Value;

use crate::model::{Facet, Resource, SignInType};
use crate::store::{EventRow, KnownIdentity, Names};

/// The part of an event that a field is read from. All but [`Part::Own`] repeat from event to event,
/// so that a verdict on them can be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Identity = 1,
    Resource = 2,
    Facet = 4,
    Code = 8,
    Address = 16,
    User = 32,
    Own = 64,
}

/// A set of [`Part`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Parts(u8);

impl Parts {
    #[must_use]
    pub(super) fn with(self, part: Part) -> Self {
        Self(self.0 | part as u8)
    }

    #[must_use]
    pub(super) fn has(self, part: Part) -> bool {
        self.0 & part as u8 != 0
    }

    /// The set as a number, to tell sets apart.
    #[must_use]
    pub(super) fn number(self) -> u8 {
        self.0
    }

    /// What of an event these parts are, as numbers; the others are 0.
    #[must_use]
    pub(super) fn of(self, row: &EventRow) -> [i64; 6] {
        let pick = |part: Part, number: i64| if self.has(part) { number } else { 0 };
        [
            pick(Part::Identity, row.identity_id),
            pick(Part::Resource, row.resource_id),
            pick(Part::Facet, row.facet_id),
            pick(Part::Code, row.error_code),
            pick(Part::Address, row.address_id.unwrap_or(0)),
            pick(Part::User, row.user_id.unwrap_or(0)),
        ]
    }
}

/// What is known of an error code, from the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeClass<'c> {
    pub class: &'c str,
    pub known: bool,
}

/// An event with its texts, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'e> {
    pub row: &'e EventRow,
    pub identity: &'e KnownIdentity,
    pub resource: &'e Resource<'static>,
    pub facet: &'e Facet<'static>,
    pub address: &'e str,
    pub user: &'e str,
    pub code: CodeClass<'e>,
}

impl<'e> Seen<'e> {
    /// `None` where the names of the row were not loaded.
    #[must_use]
    pub fn new(row: &'e EventRow, names: &'e Names, code: CodeClass<'e>) -> Option<Self> {
        Some(Self {
            row,
            identity: names.identity(row.identity_id)?,
            resource: names.resource(row.resource_id)?,
            facet: names.facet(row.facet_id)?,
            address: names.text(row.address_id),
            user: names.text(row.user_id),
            code,
        })
    }
}

macro_rules! fields {
    ($($field:ident $part:ident [$($name:literal),+] $get:expr;)+) => {
        /// A field that rules may name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $($field,)+
        }

        impl Field {
            const ALL: &'static [(Self, &'static [&'static str])] =
                &[$((Self::$field, &[$($name),+]),)+];

            #[must_use]
            pub fn part(self) -> Part {
                match self {
                    $(Self::$field => Part::$part,)+
                }
            }

            /// The value as text; empty where it is absent.
            #[must_use]
            pub fn text<'e>(self, seen: &Seen<'e>) -> Cow<'e, str> {
                match self {
                    $(Self::$field => {
                        let get: for<'a> fn(&Seen<'a>) -> Cow<'a, str> = $get;
                        get(seen)
                    })+
                }
            }
        }
    };
}

fields! {
    Identity Identity ["identity"] |seen| Cow::Borrowed(&seen.identity.key);
    TenantId Identity ["tenantId", "AADTenantId"] |seen| Cow::Borrowed(&seen.identity.identity.tenant_id);
    ServicePrincipalId Identity ["servicePrincipalId"] |seen| Cow::Borrowed(&seen.identity.identity.service_principal_id);
    ServicePrincipalName Identity ["servicePrincipalName", "appDisplayName"] |seen| Cow::Borrowed(&seen.identity.identity.name);
    AppId Identity ["appId"] |seen| Cow::Borrowed(&seen.identity.identity.app_id);
    AssociatedResourceId Identity ["managedServiceIdentity.associatedResourceId"] |seen| Cow::Borrowed(&seen.identity.identity.arm_resource_id);
    Resource Resource ["resource"] |seen| Cow::Borrowed(seen.resource.key());
    ResourceId Resource ["resourceId", "ResourceIdentity"] |seen| Cow::Borrowed(&seen.resource.id);
    ResourceDisplayName Resource ["resourceDisplayName"] |seen| Cow::Borrowed(&seen.resource.name);
    ResourceServicePrincipalId Resource ["resourceServicePrincipalId"] |seen| Cow::Borrowed(&seen.resource.service_principal_id);
    SignInType Facet ["signInType", "signInEventTypes"] |seen| Cow::Borrowed(&seen.facet.sign_in_type);
    ClientCredentialType Facet ["clientCredentialType"] |seen| Cow::Borrowed(&seen.facet.client_credential_type);
    CredentialKeyId Facet ["servicePrincipalCredentialKeyId"] |seen| Cow::Borrowed(&seen.facet.credential_key_id);
    IncomingTokenType Facet ["incomingTokenType"] |seen| Cow::Borrowed(&seen.facet.incoming_token_type);
    TokenIssuerType Facet ["tokenIssuerType"] |seen| Cow::Borrowed(&seen.facet.token_issuer_type);
    CrossTenantAccessType Facet ["crossTenantAccessType"] |seen| Cow::Borrowed(&seen.facet.cross_tenant_access_type);
    FederatedCredentialId Facet ["federatedCredentialId"] |seen| Cow::Borrowed(&seen.facet.federated_credential_id);
    FederatedTokenIssuer Facet ["managedServiceIdentity.federatedTokenIssuer"] |seen| Cow::Borrowed(&seen.facet.federated_token_issuer);
    ConditionalAccessStatus Facet ["conditionalAccessStatus"] |seen| Cow::Borrowed(&seen.facet.conditional_access_status);
    ResourceTenantId Facet ["resourceTenantId", "resourceOwnerTenantId"] |seen| Cow::Borrowed(&seen.facet.resource_tenant_id);
    AppOwnerTenantId Facet ["appOwnerTenantId"] |seen| Cow::Borrowed(&seen.facet.app_owner_tenant_id);
    MsiType Facet ["managedServiceIdentity.msiType"] |seen| Cow::Borrowed(&seen.facet.msi_type);
    UserAgent Facet ["userAgent"] |seen| Cow::Borrowed(&seen.facet.user_agent);
    Category Facet ["category"] |seen| Cow::Borrowed(category(&seen.facet.sign_in_type));
    Country Facet ["location.countryOrRegion", "LocationDetails.countryOrRegion", "Location", "country"] |seen| Cow::Borrowed(&seen.facet.country);
    AutonomousSystemNumber Facet ["autonomousSystemNumber"] |seen| Cow::Borrowed(&seen.facet.autonomous_system_number);
    FailureReason Facet ["status.failureReason", "ResultDescription", "failureReason"] |seen| Cow::Borrowed(&seen.facet.failure_reason);
    ErrorCode Code ["status.errorCode", "ResultType", "errorCode"] |seen| Cow::Owned(seen.row.error_code.to_string());
    Outcome Code ["outcome", "Status"] |seen| Cow::Borrowed(if seen.row.error_code == 0 { "success" } else { "failure" });
    ErrorClass Code ["errorClass"] |seen| Cow::Borrowed(seen.code.class);
    ErrorKnown Code ["errorKnown"] |seen| Cow::Borrowed(if seen.code.known { "true" } else { "false" });
    Address Address ["address", "ipAddress", "callerIpAddress"] |seen| Cow::Borrowed(seen.address);
    User User ["userPrincipalName", "userId", "Username"] |seen| Cow::Borrowed(seen.user);
    Id Own ["id"] |seen| Cow::Owned(seen.row.id.to_string());
}

impl Field {
    /// The name that rules write.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(field, _)| *field == self).map_or("", |(_, names)| names[0])
    }

    /// Whether its values are numbers that can be reckoned with.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::ErrorCode | Self::AutonomousSystemNumber)
    }

    /// The field of a name as rules write it: letters' case, `_` in words and `/` between them do not
    /// matter, nor does the path to where it stands in a record.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = PATHS.iter().fold(name, |name, path| match name.get(..path.len()) {
            Some(begin) if begin.eq_ignore_ascii_case(path) => &name[path.len()..],
            _ => name,
        });
        let find = |name: &str| {
            let is_among = |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(name));
            Self::ALL.iter().find(|(_, names)| is_among(names))
        };
        let spelt_otherwise = || {
            let has_signs = name.contains(['_', '/']);
            has_signs.then(|| find(&name.replace('_', "").replace('/', "."))).flatten()
        };
        find(name).or_else(spelt_otherwise).map(|(field, _)| *field)
    }
}

/// Values that count together, as one; empty where one of them is absent.
#[must_use]
pub(super) fn tuple(values: &[impl AsRef<str>]) -> String {
    if values.iter().any(|value| value.as_ref().is_empty()) {
        return String::new();
    }
    values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n")
}

/// Where the values of a sign-in stand in records, from without to within.
const PATHS: [&str; 3] = ["azure.signinlogs.", "SigninLogs.", "properties."];

/// The category of diagnostic settings that a type of sign-in comes by.
fn category(sign_in_type: &str) -> &'static str {
    match sign_in_type.parse() {
        Ok(SignInType::ManagedIdentity) => "ManagedIdentitySignInLogs",
        Ok(SignInType::ServicePrincipal) => "ServicePrincipalSignInLogs",
        Ok(SignInType::NonInteractiveUser) => "NonInteractiveUserSignInLogs",
        Ok(SignInType::InteractiveUser) => "SignInLogs",
        Ok(SignInType::MicrosoftServicePrincipal) => "MicrosoftServicePrincipalSignInLogs",
        Err(_) => "",
    }
}

impl Event for Seen<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        match Field::named(path)? {
            Field::ErrorCode => Some(EventValue::Int(self.row.error_code)),
            field => {
                let text = field.text(self);
                (!text.is_empty()).then_some(EventValue::Str(text))
            }
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        Field::ALL.iter().any(|(field, _)| pred(&field.text(self)))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        Field::ALL.iter().map(|(field, _)| field.text(self)).collect()
    }

    fn to_json(&self) -> Value {
        let fields = Field::ALL.iter().map(|(field, names)| {
            (names[0].to_owned(), Value::String(field.text(self).into_owned()))
        });
        Value::Object(fields.collect())
    }
}
