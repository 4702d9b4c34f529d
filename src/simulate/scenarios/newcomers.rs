//! The plots that befall identities of their own, who live in the tenant from the start: the fleet stays free.

use super::family::Family;
use super::plot::{
    BLOCKED, BURST, COUNTRY, CREDENTIAL_KIND, CROSSING, Cast, DELETED, DORMANT,
    FEDERATED_CREDENTIAL, FLEET, FLOOD, ISSUER, NETWORK, NEW_CODE, NEW_KEY, NEW_RESOURCE,
    NEW_WITH_POWER, NIGHT, NO_RESOURCE, OFF_RHYTHM, OFFICE, Plot, RECREATED, REJECTED, SHARE,
    SILENT, STREAK, STUCK, THROTTLED, VOLUME, When, harmless, trouble,
};
use super::{confusers, habits, lives, refusals, volumes};
use crate::simulate::cadence::Cadence::{Business, Daily, Deploys, Hourly, Minutes};
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

pub(super) static OF_NEWCOMERS: [Plot; 27] = [
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
            &[&STREAK],
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
];
