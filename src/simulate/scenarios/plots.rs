//! The plots that befall the fleet, and those that bring along their own for a day.

use super::family::Family;
use super::plot::{
    BLOCKED, BURST, COUNTRY, CROSS_TENANT, Cast, DISABLED, FEDERATION, GONE, NETWORK, NEW_KEY,
    NIGHT, NO_RESOURCE, NOT_FOUND, OFFICE, OUTAGE, PRIVILEGED, Plot, REJECTED, REJECTED_MANY,
    SILENT, SPRAY, STEADY, STRANGERS, STREAK, UNKNOWN_CODE, When, harmless, trouble,
};
use super::{credentials, harmless, lives, misuse, refusals};
use crate::simulate::cadence::Cadence;
use crate::simulate::fleet::Identity;
use crate::simulate::target::{ARM, GRAPH, KEY_VAULT};

const SECRET: Cast = Cast::One(Identity::has_secret);
const CERTIFICATE: Cast = Cast::One(Identity::has_certificate);
const USER_ASSIGNED: Cast = Cast::One(|who| who.user_assigned && who.cadence != Cadence::Weekly);
/// Somebody with power over nothing, known from every day.
const MODEST: Cast = Cast::One(|who| {
    let powers = [&ARM, &KEY_VAULT, &GRAPH];
    who.is_managed()
        && who.cadence != Cadence::Weekly
        && !powers.iter().any(|power| who.asks_for(power))
});
const DAILY: Cast =
    Cast::One(|who| who.is_managed() && matches!(who.cadence, Cadence::Daily(_) | Cadence::Hourly));
const MANAGED: Cast = Cast::One(Identity::is_managed);
const ANY: Cast = Cast::One(|_| true);

/// Those that few identities fit come first.
pub(super) static OF_THE_FLEET: [Plot; 24] = [
    Plot {
        // The successor is what these two see.
        tolerated: &["recreated_identity", "new_identity_privileged"],
        ..trouble(
            Family::RecreatedIdentity,
            &[&NOT_FOUND, &GONE, &STREAK],
            USER_ASSIGNED,
            When::LastNight,
            lives::recreated,
        )
    },
    Plot {
        // The attempts go on under the client id alone; the service principal is heard no more.
        tolerated: &["identity_fell_silent"],
        ..trouble(
            Family::DeletedIdentity,
            &[&NOT_FOUND, &GONE, &STREAK],
            USER_ASSIGNED,
            When::AtTheEnd,
            lives::deleted,
        )
    },
    trouble(Family::StolenToken, &[&PRIVILEGED, &BURST], MODEST, NIGHT, misuse::stolen_token),
    Plot {
        is_silent: true,
        ..trouble(
            Family::SilentIdentity,
            &[&SILENT, &STEADY],
            DAILY,
            When::DaysBeforeTheEnd(5),
            lives::silent,
        )
    },
    trouble(
        Family::ApplicationIdSpray,
        &[&SPRAY],
        Cast::Nobody,
        When::Hours(0, 22),
        misuse::application_id_spray,
    ),
    trouble(
        Family::CrossTenantUsers,
        &[&CROSS_TENANT, &STRANGERS],
        Cast::Nobody,
        When::Hours(0, 22),
        misuse::cross_tenant_users,
    ),
    trouble(
        Family::SecretExpired,
        &[&REJECTED, &STREAK, &NEW_KEY],
        SECRET,
        When::Hours(0, 8),
        credentials::secret_expired,
    ),
    trouble(
        Family::WrongSecret,
        &[&REJECTED_MANY, &REJECTED, &STREAK],
        SECRET,
        OFFICE,
        credentials::wrong_secret,
    ),
    trouble(
        Family::StolenCredential,
        &[&NEW_KEY, &PRIVILEGED, &COUNTRY, &NETWORK],
        SECRET,
        NIGHT,
        misuse::stolen_credential,
    ),
    Plot {
        tolerated: &["first_seen_credential_key"],
        ..harmless(Family::SecretRotated, SECRET, OFFICE, harmless::secret_rotated)
    },
    trouble(
        Family::CertificateExpired,
        &[&REJECTED, &STREAK, &NEW_KEY],
        CERTIFICATE,
        When::Hours(0, 8),
        credentials::certificate_expired,
    ),
    trouble(
        Family::CertificateReplaced,
        &[&REJECTED, &STREAK],
        CERTIFICATE,
        OFFICE,
        credentials::certificate_replaced,
    ),
    trouble(
        Family::FederationSubjectChanged,
        &[&FEDERATION, &STREAK],
        Cast::One(|who| who.is_federated() && who.cadence == Cadence::Deploys),
        OFFICE,
        credentials::federation_subject_changed,
    ),
    Plot {
        tolerated: &["failure_streak"],
        ..trouble(
            Family::ConditionalAccessBlock,
            &[&BLOCKED],
            SECRET,
            When::Hours(0, 22),
            refusals::conditional_access_block,
        )
    },
    trouble(
        Family::ApplicationDisabled,
        &[&DISABLED, &STREAK],
        Cast::One(|who| !who.is_managed()),
        OFFICE,
        refusals::application_disabled,
    ),
    trouble(
        Family::ResourceNotFound,
        &[&NO_RESOURCE, &STREAK],
        MANAGED,
        OFFICE,
        refusals::resource_not_found,
    ),
    trouble(
        Family::UnknownErrorCode,
        &[&UNKNOWN_CODE, &STREAK],
        MANAGED,
        When::Hours(0, 22),
        refusals::unknown_error_code,
    ),
    trouble(
        Family::UndocumentedErrorCode,
        &[&STREAK],
        MANAGED,
        OFFICE,
        refusals::undocumented_error_code,
    ),
    harmless(Family::DeployBurst, MANAGED, OFFICE, harmless::deploy_burst),
    harmless(Family::RetrySucceeds, ANY, When::Hours(0, 22), harmless::retry_succeeds),
    harmless(Family::Autoscale, Cast::Nobody, OFFICE, harmless::autoscale),
    Plot {
        repeats: false,
        ..harmless(Family::WeeklyBatch, Cast::Nobody, When::FromTheStart, harmless::weekly_batch)
    },
    Plot {
        repeats: false,
        ..harmless(
            Family::NewResourceWhileLearning,
            Cast::Nobody,
            When::DaysBeforeTheEnd(5),
            harmless::new_resource_while_learning,
        )
    },
    Plot {
        repeats: false,
        ..trouble(
            Family::ServiceOutage,
            &[&OUTAGE],
            Cast::Crowd,
            When::Hours(8, 20),
            refusals::service_outage,
        )
    },
];
