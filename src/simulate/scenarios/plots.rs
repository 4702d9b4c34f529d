//! The table of plots: what each is called, whom it befalls, when, and which rules see it.

use super::act::Act;
use super::{Family, credentials, harmless, lives, misuse, refusals};
use crate::model::Severity;
use crate::simulate::cadence::Cadence;
use crate::simulate::fleet::Identity;
use crate::simulate::target::{ARM, GRAPH, KEY_VAULT};

/// Whom a story befalls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cast {
    /// It brings along its own.
    Nobody,
    One(fn(&Identity) -> bool),
    /// Many at once.
    Crowd,
}

/// When the first story of its family begins. Further ones, in bigger fleets, begin on any day after
/// the time of learning.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// On one of the last days, between these hours (UTC).
    Hours(i64, i64),
    /// The last night, shortly after 02:00, and over before the end.
    LastNight,
    /// Shortly before the end.
    AtTheEnd,
    FromTheStart,
    DaysBeforeTheEnd(i64),
}

/// A rule that finds the story.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// Whether it must know the identity for a week first.
    pub(super) learns: bool,
}

#[derive(Debug)]
pub(super) struct Plot {
    pub(super) family: Family,
    pub(super) is_benign: bool,
    /// Whether its sign is that there are no records.
    pub(super) is_silent: bool,
    /// Whether a bigger fleet sees it more than once.
    pub(super) repeats: bool,
    pub(super) rules: &'static [&'static Seen],
    pub(super) tolerated: &'static [&'static str],
    pub(super) cast: Cast,
    pub(super) when: When,
    pub(super) play: fn(&mut Act),
}

const fn trouble(
    family: Family,
    rules: &'static [&'static Seen],
    cast: Cast,
    when: When,
    play: fn(&mut Act),
) -> Plot {
    Plot {
        family,
        is_benign: false,
        is_silent: false,
        repeats: true,
        rules,
        tolerated: &[],
        cast,
        when,
        play,
    }
}

const fn harmless(family: Family, cast: Cast, when: When, play: fn(&mut Act)) -> Plot {
    Plot { is_benign: true, ..trouble(family, &[], cast, when, play) }
}

macro_rules! seen {
    ($($name:ident $rule:literal $severity:ident $learns:literal;)+) => {
        $(static $name: Seen = Seen { name: $rule, severity: Severity::$severity, learns: $learns };)+
    };
}

seen! {
    NOT_FOUND "application_not_found_spike" High false;
    STREAK "failure_streak" Medium false;
    SPRAY "application_id_spray" High false;
    CROSS_TENANT "cross_tenant_user_spike" High false;
    REJECTED "credential_rejected_streak" High false;
    REJECTED_MANY "credential_rejected_spike" High false;
    NEW_KEY "first_seen_credential_key" Medium true;
    FEDERATION "federation_mismatch" Medium false;
    DISABLED "application_disabled" High false;
    NO_RESOURCE "resource_not_found" Medium false;
    BLOCKED "blocked_by_conditional_access" High false;
    UNKNOWN_CODE "unknown_error_code" Medium false;
    PRIVILEGED "first_seen_privileged_resource" High true;
    BURST "token_burst" Medium false;
    SILENT "identity_fell_silent" Medium true;
    OUTAGE "service_outage" High false;
}

const OFFICE: When = When::Hours(7, 16);
const NIGHT: When = When::Hours(1, 4);
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
pub(super) static PLOTS: [Plot; 24] = [
    trouble(
        Family::RecreatedIdentity,
        &[&NOT_FOUND, &STREAK],
        USER_ASSIGNED,
        When::LastNight,
        lives::recreated,
    ),
    Plot {
        // The attempts go on under the client id alone; the service principal is heard no more.
        tolerated: &["identity_fell_silent"],
        ..trouble(
            Family::DeletedIdentity,
            &[&NOT_FOUND, &STREAK],
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
            &[&SILENT],
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
        &[&CROSS_TENANT],
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
        &[&NEW_KEY, &PRIVILEGED],
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
