//! A sign-in in our words: who asked for a token, for what, with which outcome.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::EventId;

/// The four sign-in types of Graph's `signInEventTypes`, and the diagnostic-settings category that
/// has no Graph type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignInType {
    ManagedIdentity,
    ServicePrincipal,
    NonInteractiveUser,
    InteractiveUser,
    MicrosoftServicePrincipal,
}

impl SignInType {
    pub const ALL: [Self; 5] = [
        Self::ManagedIdentity,
        Self::ServicePrincipal,
        Self::NonInteractiveUser,
        Self::InteractiveUser,
        Self::MicrosoftServicePrincipal,
    ];

    /// The spelling of Graph's `signInEventTypes`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManagedIdentity => "managedIdentity",
            Self::ServicePrincipal => "servicePrincipal",
            Self::NonInteractiveUser => "nonInteractiveUser",
            Self::InteractiveUser => "interactiveUser",
            Self::MicrosoftServicePrincipal => "microsoftServicePrincipal",
        }
    }

    /// Whether the sign-in is a workload's own, not a user's.
    #[must_use]
    pub fn is_workload(self) -> bool {
        !matches!(self, Self::NonInteractiveUser | Self::InteractiveUser)
    }
}

impl fmt::Display for SignInType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a sign-in type: write managedIdentity, servicePrincipal, nonInteractiveUser or interactiveUser"
)]
pub struct UnknownSignInType(String);

impl FromStr for SignInType {
    type Err = UnknownSignInType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownSignInType(text.to_owned()))
    }
}

/// Declares a record of texts that may borrow from the bytes they were read from.
///
/// Absent values are empty: Entra writes absent, `null`, `""` and the zero GUID for the same thing,
/// and so do we.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name<'a> {
            $($(#[$field_doc])* #[serde(default, skip_serializing_if = "str::is_empty")] pub $field: Cow<'a, str>,)+
        }

        impl $name<'_> {
            /// The same with texts of its own.
            #[must_use]
            pub fn into_owned(self) -> $name<'static> {
                $name { $($field: Cow::Owned(self.$field.into_owned()),)+ }
            }
        }

        impl<'a> $name<'a> {
            /// Of each text the greater of two; what is absent is the least.
            #[must_use]
            pub fn greatest(self, other: Self) -> Self {
                $name { $($field: Cow::max(self.$field, other.$field),)+ }
            }
        }
    };
}

texts! {
    /// Who signed in. Two sign-ins are of one identity when tenant and [`Identity::key`] are the same.
    Identity {
        tenant_id,
        service_principal_id,
        app_id,
        name,
        /// The ARM resource it belongs to (`managedServiceIdentity.associatedResourceId`).
        arm_resource_id,
    }
}

impl Identity<'_> {
    /// The text that tells this identity from every other in its tenant. It is never empty: the
    /// service principal, else the application, else the name, else the resource it asked for, so
    /// that identities without ids do not collapse into one group.
    #[must_use]
    pub fn key<'k>(&'k self, resource: &'k Resource<'_>) -> &'k str {
        [&self.service_principal_id, &self.app_id, &self.name, &resource.id, &resource.name]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or("unknown", |text| text.as_ref())
    }

    /// What a person calls it.
    #[must_use]
    pub fn label(&self) -> &str {
        [&self.name, &self.app_id, &self.service_principal_id]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or("an identity without a name", |text| text.as_ref())
    }
}

texts! {
    /// What a token was asked for: the target application, not the vault or account behind it.
    Resource {
        /// `resourceId`: the application id of the service (Azure Resource Manager: `797f4846-…`).
        id,
        name,
        service_principal_id,
    }
}

impl Facet<'_> {
    /// Of each value the greater, so that each gives what the other lacks; of the types the one that says more: that
    /// of a managed identity is a service principal's, too.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let rank = |facet: &Self| {
            let of_all = SignInType::ALL.iter().position(|one| one.as_str() == facet.sign_in_type);
            of_all.map_or(i32::MIN, |place| -i32::try_from(place).expect("there are few types"))
        };
        let of_types = if rank(&self) >= rank(&other) { &self } else { &other };
        let sign_in_type = of_types.sign_in_type.clone();
        Self { sign_in_type, ..self.greatest(other) }
    }
}

impl Resource<'_> {
    /// The text that tells this resource from every other.
    #[must_use]
    pub fn key(&self) -> &str {
        if self.id.is_empty() { &self.name } else { &self.id }
    }

    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

texts! {
    /// The values of a sign-in that many sign-ins share, kept once per combination.
    Facet {
        /// A [`SignInType`], as Graph spells it.
        sign_in_type,
        client_credential_type,
        /// `servicePrincipalCredentialKeyId`.
        credential_key_id,
        incoming_token_type,
        token_issuer_type,
        cross_tenant_access_type,
        federated_credential_id,
        /// `managedServiceIdentity.federatedTokenIssuer`.
        federated_token_issuer,
        conditional_access_status,
        resource_tenant_id,
        app_owner_tenant_id,
        /// `managedServiceIdentity.msiType`, in lower case.
        msi_type,
        user_agent,
        /// `location.countryOrRegion`.
        country,
        autonomous_system_number,
        /// `status.failureReason`: only Graph gives it.
        failure_reason,
    }
}

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    pub id: EventId,
    /// When it happened (`createdDateTime`), to the microsecond.
    pub created_at: DateTime<Utc>,
    pub identity: Identity<'a>,
    pub resource: Resource<'a>,
    pub facet: Facet<'a>,
    /// `status.errorCode`: the AADSTS number, 0 for a token issued.
    pub error_code: i64,
    /// Empty for managed identities: Entra blanks it.
    pub ip_address: Cow<'a, str>,
    /// `userPrincipalName`, else `userId`; empty for workloads.
    pub user: Cow<'a, str>,
}

impl Event<'_> {
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error_code == 0
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            id: self.id,
            created_at: self.created_at,
            identity: self.identity.into_owned(),
            resource: self.resource.into_owned(),
            facet: self.facet.into_owned(),
            error_code: self.error_code,
            ip_address: Cow::Owned(self.ip_address.into_owned()),
            user: Cow::Owned(self.user.into_owned()),
        }
    }
}
