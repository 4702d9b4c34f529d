//! The sorts of scenarios, their names, and a choice of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! families {
    ($($variant:ident $name:literal)+) => {
        /// A sort of scenario.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Family {
            $(#[serde(rename = $name)] $variant,)+
        }

        impl Family {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

families! {
    RecreatedIdentity "recreated_identity"
    DeletedIdentity "deleted_identity"
    SilentIdentity "silent_identity"
    ApplicationIdSpray "application_id_spray"
    CrossTenantUsers "cross_tenant_users"
    SecretExpired "secret_expired"
    WrongSecret "wrong_secret"
    CertificateExpired "certificate_expired"
    CertificateReplaced "certificate_replaced"
    FederationSubjectChanged "federation_subject_changed"
    ApplicationDisabled "application_disabled"
    ResourceNotFound "resource_not_found"
    ConditionalAccessBlock "conditional_access_block"
    UnknownErrorCode "unknown_error_code"
    UndocumentedErrorCode "undocumented_error_code"
    StolenToken "stolen_token"
    StolenCredential "stolen_credential"
    ServiceOutage "service_outage"
    SecretRotated "secret_rotated"
    DeployBurst "deploy_burst"
    Autoscale "autoscale"
    RetrySucceeds "retry_succeeds"
    WeeklyBatch "weekly_batch"
    NewResourceWhileLearning "new_resource_while_learning"
    Throttled "throttled"
    UncachedClient "uncached_client"
    TokenHarvest "token_harvest"
    OrdinaryBurst "ordinary_burst"
    NewFailureCode "new_failure_code"
    SlowFailures "slow_failures"
    StuckIdentity "stuck_identity"
    HalfBroken "half_broken"
    RemovedAccount "removed_account"
    FleetRefused "fleet_refused"
    ForeignIssuer "foreign_issuer"
    SecondFederatedCredential "second_federated_credential"
    OtherCredentialKind "other_credential_kind"
    LeakedSecret "leaked_secret"
    OtherNetwork "other_network"
    ForeignAccess "foreign_access"
    NewResource "new_resource"
    OffHours "off_hours"
    DormantAwakened "dormant_awakened"
    ReplacedIdentity "replaced_identity"
    NewIdentityWithPower "new_identity_with_power"
    FlakyJob "flaky_job"
    RoamingRunner "roaming_runner"
    Overtime "overtime"
    NewOrdinaryIdentity "new_ordinary_identity"
    RetryStorm "retry_storm"
    MonthlyBatch "monthly_batch"
    CredentialSpray "credential_spray"
    StrangersSlowly "strangers_slowly"
    NightlyJobFails "nightly_job_fails"
    EstateDeleted "estate_deleted"
    EstateSilent "estate_silent"
    SteadySilence "steady_silence"
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which scenarios are played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scenarios {
    None,
    #[default]
    All,
    Only(Vec<Family>),
}

impl Scenarios {
    pub(super) fn has(&self, family: Family) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(families) => families.contains(&family),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a scenario: write `all`, `none`, or some of {known}, with commas between", known = names())]
pub struct UnknownScenario(String);

fn names() -> String {
    Family::ALL.iter().map(|family| family.as_str()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Scenarios {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let family = |name: &str| {
            let name = name.trim();
            let known = Family::ALL.iter().find(|family| family.as_str() == name);
            known.copied().ok_or_else(|| UnknownScenario(name.to_owned()))
        };
        match text.trim() {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            names => names.split(',').map(family).collect::<Result<_, _>>().map(Self::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_scenarios_is_read_from_their_names() {
        assert_eq!("all".parse::<Scenarios>().unwrap(), Scenarios::All);
        assert_eq!("none".parse::<Scenarios>().unwrap(), Scenarios::None);
        let two = "stolen_token, wrong_secret".parse::<Scenarios>().unwrap();
        assert_eq!(two, Scenarios::Only(vec![Family::StolenToken, Family::WrongSecret]));
        assert!(two.has(Family::WrongSecret) && !two.has(Family::Autoscale));
        let error = "stolen_token,flood".parse::<Scenarios>().unwrap_err().to_string();
        assert!(error.starts_with("`flood` is not a scenario: write `all`, `none`, or"), "{error}");
    }

    #[test]
    fn a_family_is_spelt_in_json_as_everywhere() {
        for family in Family::ALL {
            assert_eq!(serde_json::to_string(family).unwrap(), format!("\"{family}\""));
        }
    }
}
