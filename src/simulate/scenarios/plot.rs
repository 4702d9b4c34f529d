//! What a plot is: what it is called, whom it befalls, when, and which rules see it.

use super::act::Act;
use super::family::Family;
use crate::model::Severity;
use crate::simulate::fleet::{Identity, Sort};

/// Whom a story befalls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cast {
    /// It brings along its own.
    Nobody,
    One(fn(&Identity) -> bool),
    /// Many at once.
    Crowd,
    /// One of each sort, who live in the tenant from the start and are in no fleet.
    Newcomers(&'static [Sort]),
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
    /// For how many days it must have known the identity first, with one to spare.
    pub(super) learns: i64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    pub(super) family: Family,
    pub(super) is_benign: bool,
    /// Whether its sign is that there are no records.
    pub(super) is_silent: bool,
    /// It takes a stretch of so many days.
    pub(super) least_days: i64,
    /// Whether a bigger fleet sees it more than once.
    pub(super) repeats: bool,
    pub(super) rules: &'static [&'static Seen],
    pub(super) tolerated: &'static [&'static str],
    pub(super) cast: Cast,
    pub(super) when: When,
    pub(super) play: fn(&mut Act),
}

pub(super) const fn trouble(
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
        least_days: 0,
        repeats: true,
        rules,
        tolerated: &[],
        cast,
        when,
        play,
    }
}

pub(super) const fn harmless(family: Family, cast: Cast, when: When, play: fn(&mut Act)) -> Plot {
    Plot { is_benign: true, ..trouble(family, &[], cast, when, play) }
}

macro_rules! seen {
    ($($name:ident $rule:literal $severity:ident $learns:literal;)+) => {
        $(pub(super) static $name: Seen = Seen { name: $rule, severity: Severity::$severity, learns: $learns };)+
    };
}

seen! {
    NOT_FOUND "application_not_found_spike" High 0;
    STREAK "failure_streak" Medium 0;
    STUCK "passing_failure_lasts" Medium 0;
    SPRAY "application_id_spray" High 0;
    CROSS_TENANT "cross_tenant_user_spike" High 0;
    REJECTED "credential_rejected_streak" High 0;
    REJECTED_MANY "credential_rejected_spike" High 0;
    NEW_KEY "first_seen_credential_key" Low 8;
    FEDERATION "federation_mismatch" Medium 0;
    DISABLED "application_disabled" High 0;
    NO_RESOURCE "resource_not_found" Medium 0;
    BLOCKED "blocked_by_conditional_access" High 0;
    UNKNOWN_CODE "unknown_error_code" Medium 0;
    PRIVILEGED "first_seen_privileged_resource" High 8;
    BURST "token_burst" Medium 0;
    SILENT "identity_fell_silent" Medium 8;
    OUTAGE "service_outage" High 0;
    COUNTRY "first_seen_country" Medium 8;
    NETWORK "first_seen_network" Low 8;
    THROTTLED "throttled" Medium 0;
    FLOOD "token_flood" Low 0;
    VOLUME "unusual_token_volume" Low 8;
    NEW_CODE "first_failure_code" Low 8;
    SHARE "failure_share" Medium 0;
    DELETED "deleted_identity" Medium 0;
    FLEET "fleet_failure" High 0;
    ISSUER "first_seen_federated_issuer" High 8;
    FEDERATED_CREDENTIAL "first_seen_federated_credential" Medium 8;
    CREDENTIAL_KIND "first_seen_credential_type" Medium 8;
    CROSSING "first_seen_cross_tenant_access" Medium 8;
    NEW_RESOURCE "first_seen_resource" Medium 8;
    OFF_RHYTHM "off_rhythm" Low 8;
    DORMANT "dormant_identity_awakes" Medium 34;
    RECREATED "recreated_identity" Informational 2;
    NEW_WITH_POWER "new_identity_privileged" Medium 8;
    GONE "application_not_found_streak" High 0;
    GONE_TOGETHER "fleet_application_not_found" High 0;
    SLOW "failure_streak_slow" Medium 0;
    STEADY "steady_identity_fell_silent" Medium 8;
    SILENT_TOGETHER "fleet_fell_silent" High 8;
    GUESSING "credential_spray" High 0;
    STRANGERS "cross_tenant_many_users" Medium 0;
}

pub(super) const OFFICE: When = When::Hours(7, 16);
pub(super) const NIGHT: When = When::Hours(1, 4);
