//! The plots that befall identities of their own, who live in the tenant from the start: the fleet stays free.

use super::family::Family;
use super::plot::{
    BLOCKED, BURST, COUNTRY, CREDENTIAL_KIND, CROSSING, Cast, DELETED, DORMANT,
    FEDERATED_CREDENTIAL, FLEET, FLOOD, GONE, GONE_TOGETHER, GUESSING, ISSUER, NETWORK, NEW_CODE,
    NEW_KEY, NEW_RESOURCE, NEW_WITH_POWER, NIGHT, NO_RESOURCE, OFF_RHYTHM, OFFICE, Plot, RECREATED,
    REJECTED, SHARE, SILENT, SILENT_TOGETHER, SLOW, STEADY, STRANGERS, STREAK, STUCK, THROTTLED,
    VOLUME, When, harmless, trouble,
};
use super::{confusers, habits, lives, misuse, refusals, volumes};
use crate::simulate::cadence::Cadence::{Business, Daily, Deploys, Hourly, Minutes, Night};
use crate::simulate::fleet::Proof::{
    Certificate, Cluster, FederatedManaged, GitHub, Secret, SystemAssigned, UserAssigned,
};
use crate::simulate::fleet::{Sort, USER_ASSIGNED, sort};
use crate::simulate::target::{
    ARM, COSMOS_DB, GRAPH, KEY_VAULT, LOG_ANALYTICS, REGISTRY, SERVICE_BUS, SQL, STORAGE,
};

macro_rules! sorts {
    ($($constant:ident = $(($name:literal $provider:expr, $proof:ident $cadence:expr, $($target:ident)+))+;)+) => {
        $(static $constant: &[Sort] = &[$(sort($name, $provider, $proof, &[$(&$target),+], $cadence)),+];)+
    };
}

const SITES: &str = "Microsoft.Web/sites";
const MACHINES: &str = "Microsoft.Compute/virtualMachines";
const APPS: &str = "Microsoft.App/containerApps";

sorts! {
    CRAWLER = ("sp-{w}-crawler-{e}" "", Secret Minutes(20), GRAPH STORAGE);
    WEBHOOK = ("sp-{w}-webhook-{e}" "", Secret Minutes(10), SERVICE_BUS);
    JUMP_HOST = ("vm-{w}-jump-{e}" MACHINES, SystemAssigned Daily(1), LOG_ANALYTICS STORAGE);
    RENDERER = ("ca-{w}-render-{e}" APPS, SystemAssigned Daily(2), STORAGE SERVICE_BUS);
    APPROVALS = ("sp-{w}-approvals-{e}" "", Secret Hourly, SQL);
    COURIER = ("ca-{w}-courier-{e}" APPS, SystemAssigned Minutes(10), SERVICE_BUS);
    ARCHIVE = ("func-{w}-archive-{e}" SITES, SystemAssigned Daily(2), STORAGE);
    API = ("sp-{w}-api-{e}" "", Secret Hourly, SQL SERVICE_BUS);
    LEGACY = ("sp-{w}-legacy-{e}" "", Secret Minutes(20), STORAGE);
    PLATFORM =
        ("sp-{w}-mirror-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-alarms-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-labels-{e}" "", Certificate Hourly, STORAGE)
        ("sp-{w}-scans-{e}" "", Secret Minutes(30), STORAGE)
        ("sp-{w}-photos-{e}" "", Certificate Minutes(30), STORAGE)
        ("sp-{w}-ratings-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-ocr-{e}" "", Certificate Hourly, STORAGE)
        ("sp-{w}-forecast-{e}" "", Secret Hourly, STORAGE);
    PIPELINE = ("id-{w}-pipeline-{e}" USER_ASSIGNED, FederatedManaged Hourly, REGISTRY STORAGE);
    RELEASE = ("gh-{w}-release-{e}" "", GitHub Deploys, ARM STORAGE);
    EXCHANGE = ("sp-{w}-edi-{e}" "", Certificate Hourly, SERVICE_BUS);
    MAILER = ("sp-{w}-mailer-{e}" "", Secret Hourly, GRAPH);
    IMPORTER = ("sp-{w}-import-{e}" "", Secret Hourly, STORAGE);
    BROKER = ("sp-{w}-broker-{e}" "", Secret Hourly, STORAGE);
    BOOKING = ("app-{w}-desk-{e}" SITES, SystemAssigned Daily(2), STORAGE);
    OFFICE_JOB = ("sp-{w}-office-{e}" "", Secret Business(14), SQL STORAGE);
    MIGRATION = ("sp-{w}-migration-{e}" "", Secret Daily(1), STORAGE SQL);
    BATCH = ("id-{w}-batch-{e}" USER_ASSIGNED, UserAssigned Daily(2), STORAGE SERVICE_BUS);
    OPERATOR = ("id-{w}-operator-{e}" USER_ASSIGNED, UserAssigned Daily(1), ARM GRAPH KEY_VAULT);
    FLAKY = ("wi-{w}-flaky-{e}" "", Cluster Hourly, SERVICE_BUS);
    RUNNER = ("gh-{w}-checks-{e}" "", GitHub Deploys, ARM REGISTRY);
    BOOKKEEPER = ("sp-{w}-books-{e}" "", Secret Business(20), SQL COSMOS_DB);
    INTAKE = ("func-{w}-intake-{e}" SITES, SystemAssigned Daily(1), STORAGE SERVICE_BUS);
    PARTNERS =
        ("sp-{w}-claims-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-quotes-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-ledger-{e}" "", Secret Hourly, SQL)
        ("sp-{w}-tariffs-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-permits-{e}" "", Secret Hourly, SQL)
        ("sp-{w}-audits-{e}" "", Secret Hourly, STORAGE)
        ("sp-{w}-notices-{e}" "", Secret Hourly, STORAGE);
    ESTATE =
        ("id-{w}-north-{e}" USER_ASSIGNED, UserAssigned Minutes(20), STORAGE)
        ("id-{w}-south-{e}" USER_ASSIGNED, UserAssigned Minutes(20), STORAGE)
        ("id-{w}-east-{e}" USER_ASSIGNED, UserAssigned Minutes(30), SERVICE_BUS)
        ("id-{w}-west-{e}" USER_ASSIGNED, UserAssigned Minutes(30), STORAGE)
        ("id-{w}-inner-{e}" USER_ASSIGNED, UserAssigned Minutes(20), SQL)
        ("id-{w}-outer-{e}" USER_ASSIGNED, UserAssigned Minutes(30), STORAGE);
    YARD =
        ("sp-{w}-crane-{e}" "", Secret Minutes(20), STORAGE)
        ("sp-{w}-gate-{e}" "", Secret Minutes(20), STORAGE)
        ("sp-{w}-scale-{e}" "", Secret Minutes(30), SERVICE_BUS)
        ("sp-{w}-berth-{e}" "", Secret Minutes(20), STORAGE)
        ("sp-{w}-tug-{e}" "", Secret Minutes(30), SQL)
        ("sp-{w}-pilot-{e}" "", Secret Minutes(20), STORAGE);
    CONNECTOR = ("sp-{w}-connector-{e}" "", Secret Minutes(10), GRAPH);
    NIGHT_JOB = ("sp-{w}-nightly-{e}" "", Secret Night, SQL);
    IMPATIENT = ("ca-{w}-poller-{e}" APPS, SystemAssigned Hourly, SERVICE_BUS);
}

/// However big the fleet is.
const fn once(plot: Plot) -> Plot {
    Plot { repeats: false, ..plot }
}

/// Rules that may speak of it as well.
const fn tolerating(tolerated: &'static [&'static str], plot: Plot) -> Plot {
    Plot { tolerated, ..plot }
}

const ANY_HOUR: When = When::Hours(0, 22);

pub(super) static OF_NEWCOMERS: [Plot; 33] = [
    tolerating(
        &[STREAK.name, SHARE.name, VOLUME.name],
        trouble(
            Family::Throttled,
            &[&THROTTLED],
            Cast::Newcomers(CRAWLER),
            ANY_HOUR,
            volumes::throttled,
        ),
    ),
    trouble(
        Family::UncachedClient,
        &[&FLOOD, &VOLUME],
        Cast::Newcomers(WEBHOOK),
        ANY_HOUR,
        volumes::uncached_client,
    ),
    trouble(
        Family::TokenHarvest,
        &[&VOLUME],
        Cast::Newcomers(JUMP_HOST),
        ANY_HOUR,
        volumes::token_harvest,
    ),
    tolerating(
        &[VOLUME.name],
        trouble(
            Family::OrdinaryBurst,
            &[&BURST],
            Cast::Newcomers(RENDERER),
            ANY_HOUR,
            volumes::ordinary_burst,
        ),
    ),
    trouble(
        Family::NewFailureCode,
        &[&NEW_CODE],
        Cast::Newcomers(APPROVALS),
        OFFICE,
        refusals::new_failure_code,
    ),
    tolerating(
        &[SILENT.name],
        trouble(
            Family::SlowFailures,
            &[&STREAK, &SLOW],
            Cast::Newcomers(ARCHIVE),
            When::DaysBeforeTheEnd(3),
            refusals::slow_failures,
        ),
    ),
    trouble(
        Family::StuckIdentity,
        &[&STUCK],
        Cast::Newcomers(COURIER),
        ANY_HOUR,
        refusals::stuck_identity,
    ),
    tolerating(
        &[REJECTED.name],
        trouble(
            Family::HalfBroken,
            &[&SHARE],
            Cast::Newcomers(API),
            When::Hours(0, 6),
            refusals::half_broken,
        ),
    ),
    tolerating(
        &[STREAK.name, SILENT.name],
        trouble(
            Family::RemovedAccount,
            &[&DELETED],
            Cast::Newcomers(LEGACY),
            OFFICE,
            lives::removed_account,
        ),
    ),
    once(tolerating(
        &[BLOCKED.name, NO_RESOURCE.name, STREAK.name],
        trouble(
            Family::FleetRefused,
            &[&FLEET],
            Cast::Newcomers(PLATFORM),
            OFFICE,
            refusals::fleet_refused,
        ),
    )),
    tolerating(
        &[FEDERATED_CREDENTIAL.name],
        trouble(
            Family::ForeignIssuer,
            &[&ISSUER],
            Cast::Newcomers(PIPELINE),
            NIGHT,
            habits::foreign_issuer,
        ),
    ),
    trouble(
        Family::SecondFederatedCredential,
        &[&FEDERATED_CREDENTIAL],
        Cast::Newcomers(RELEASE),
        OFFICE,
        habits::second_federated_credential,
    ),
    trouble(
        Family::OtherCredentialKind,
        &[&CREDENTIAL_KIND, &NEW_KEY],
        Cast::Newcomers(EXCHANGE),
        ANY_HOUR,
        habits::other_credential_kind,
    ),
    trouble(
        Family::LeakedSecret,
        &[&COUNTRY, &NETWORK],
        Cast::Newcomers(MAILER),
        NIGHT,
        habits::leaked_secret,
    ),
    trouble(
        Family::OtherNetwork,
        &[&NETWORK],
        Cast::Newcomers(IMPORTER),
        ANY_HOUR,
        habits::other_network,
    ),
    trouble(
        Family::ForeignAccess,
        &[&CROSSING],
        Cast::Newcomers(BROKER),
        ANY_HOUR,
        habits::foreign_access,
    ),
    trouble(
        Family::NewResource,
        &[&NEW_RESOURCE],
        Cast::Newcomers(BOOKING),
        OFFICE,
        habits::new_resource,
    ),
    trouble(
        Family::OffHours,
        &[&OFF_RHYTHM],
        Cast::Newcomers(OFFICE_JOB),
        When::Hours(0, 3),
        habits::off_hours,
    ),
    Plot {
        least_days: 46,
        tolerated: &[OFF_RHYTHM.name],
        ..trouble(
            Family::DormantAwakened,
            &[&DORMANT],
            Cast::Newcomers(MIGRATION),
            ANY_HOUR,
            habits::dormant_awakened,
        )
    },
    once(tolerating(
        &[SILENT.name],
        trouble(
            Family::ReplacedIdentity,
            &[&RECREATED],
            Cast::Newcomers(BATCH),
            When::LastNight,
            lives::replaced,
        ),
    )),
    trouble(
        Family::NewIdentityWithPower,
        &[&NEW_WITH_POWER],
        Cast::Newcomers(OPERATOR),
        ANY_HOUR,
        lives::new_with_power,
    ),
    harmless(
        Family::FlakyJob,
        Cast::Newcomers(FLAKY),
        When::DaysBeforeTheEnd(6),
        confusers::flaky_job,
    ),
    once(harmless(
        Family::RoamingRunner,
        Cast::Newcomers(RUNNER),
        When::FromTheStart,
        confusers::roaming_runner,
    )),
    harmless(
        Family::Overtime,
        Cast::Newcomers(BOOKKEEPER),
        When::Hours(18, 19),
        confusers::overtime,
    ),
    harmless(
        Family::NewOrdinaryIdentity,
        Cast::Newcomers(INTAKE),
        OFFICE,
        confusers::new_ordinary_identity,
    ),
    harmless(Family::RetryStorm, Cast::Newcomers(IMPATIENT), ANY_HOUR, confusers::retry_storm),
    Plot {
        least_days: 65,
        ..once(harmless(
            Family::MonthlyBatch,
            Cast::Nobody,
            When::FromTheStart,
            confusers::monthly_batch,
        ))
    },
    trouble(
        Family::CredentialSpray,
        &[&GUESSING],
        Cast::Newcomers(PARTNERS),
        ANY_HOUR,
        misuse::credential_spray,
    ),
    trouble(
        Family::StrangersSlowly,
        &[&STRANGERS],
        Cast::Nobody,
        When::DaysBeforeTheEnd(4),
        misuse::strangers_slowly,
    ),
    trouble(
        Family::NightlyJobFails,
        &[&SLOW, &STREAK],
        Cast::Newcomers(NIGHT_JOB),
        When::DaysBeforeTheEnd(5),
        refusals::nightly_job_fails,
    ),
    once(tolerating(
        &[GONE.name, STREAK.name],
        trouble(
            Family::EstateDeleted,
            &[&GONE_TOGETHER],
            Cast::Newcomers(ESTATE),
            ANY_HOUR,
            lives::estate_deleted,
        ),
    )),
    Plot {
        is_silent: true,
        ..once(tolerating(
            &[STEADY.name, SILENT.name],
            trouble(
                Family::EstateSilent,
                &[&SILENT_TOGETHER],
                Cast::Newcomers(YARD),
                When::DaysBeforeTheEnd(4),
                lives::estate_silent,
            ),
        ))
    },
    Plot {
        is_silent: true,
        ..trouble(
            Family::SteadySilence,
            &[&STEADY],
            Cast::Newcomers(CONNECTOR),
            When::DaysBeforeTheEnd(4),
            lives::steady_silence,
        )
    },
];
