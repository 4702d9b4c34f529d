//! How diagnostic settings name their blobs: the tenant, then the hour, a folder for each part of it.

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};

/// What the names of a tenant's blobs begin with: as they are found, and as they are documented.
fn roots(tenant_id: &str) -> [String; 2] {
    [
        format!("tenantId={tenant_id}/"),
        format!("resourceId=/tenants/{tenant_id}/providers/microsoft.aadiam/"),
    ]
}

/// A stretch of more months than this is not listed month by month.
const MONTHS_AT_MOST: i64 = 24;

/// The prefixes under which the blobs of a stretch of time lie, a month each: one listing gives a month,
/// and fewer listings cost less than shorter ones.
pub(super) fn prefixes(tenant_id: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
    let month = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month0());
    let months = month(from)..=month(to);
    let roots = roots(tenant_id);
    if months.end() - months.start() >= MONTHS_AT_MOST {
        return roots.to_vec();
    }
    let of =
        |month: i64| format!("y={:04}/m={:02}/", month.div_euclid(12), month.rem_euclid(12) + 1);
    roots
        .iter()
        .flat_map(|root| months.clone().map(move |month| format!("{root}{}", of(month))))
        .collect()
}

/// The hour whose records a blob holds; `None` when it is no blob of this tenant's logs.
pub(super) fn hour(tenant_id: &str, name: &str) -> Option<DateTime<Utc>> {
    let path = roots(tenant_id).iter().find_map(|root| name.strip_prefix(root.as_str()))?;
    let mut parts = path.split('/');
    let mut part = |key: &str| parts.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (year, month, day) = (part("y=")?, part("m=")?, part("d=")?);
    let (hour, minute) = (part("h=")?, part("m=")?);
    let file = parts.next()?;
    let is_log =
        file.strip_suffix(".json").is_some_and(|stem| !stem.is_empty()) && parts.next().is_none();
    let year = i32::try_from(year).ok()?;
    is_log.then(|| Utc.with_ymd_and_hms(year, month, day, hour, minute, 0).single()).flatten()
}

/// Whether an hour has anything of a stretch that begins at `from`.
pub(super) fn is_since(hour: DateTime<Utc>, from: DateTime<Utc>) -> bool {
    hour + TimeDelta::hours(1) > from
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_blob_tells_its_hour_under_the_found_and_the_documented_name() {
        let path = "y=2026/m=07/d=16/h=13/m=00/PT1H.json";
        let found = format!("tenantId={TENANT}/{path}");
        assert_eq!(hour(TENANT, &found), Some(at("2026-07-16T13:00:00Z")));
        let documented = format!("resourceId=/tenants/{TENANT}/providers/microsoft.aadiam/{path}");
        assert_eq!(hour(TENANT, &documented), Some(at("2026-07-16T13:00:00Z")));
        for other in [
            format!("tenantId=other/{path}"),
            format!("tenantId={TENANT}/y=2026/m=13/d=16/h=13/m=00/PT1H.json"),
            format!("tenantId={TENANT}/y=2026/m=07/d=16/h=13/PT1H.json"),
            format!("tenantId={TENANT}/y=-2026/m=07/d=16/h=13/m=00/PT1H.json"),
            format!("tenantId={TENANT}/y=2026/m=07/d=16/h=13/m=00/"),
            format!("{found}/more.json"),
            format!("{found}.tmp"),
        ] {
            assert_eq!(hour(TENANT, &other), None, "{other}");
        }
    }

    #[test]
    fn a_stretch_is_listed_month_by_month_over_the_turn_of_a_year() {
        let all = prefixes("t", at("2025-12-31T23:30:00Z"), at("2026-01-03T00:00:00Z"));
        assert_eq!(
            all,
            [
                "tenantId=t/y=2025/m=12/",
                "tenantId=t/y=2026/m=01/",
                "resourceId=/tenants/t/providers/microsoft.aadiam/y=2025/m=12/",
                "resourceId=/tenants/t/providers/microsoft.aadiam/y=2026/m=01/",
            ]
        );
        let ever = prefixes("t", DateTime::<Utc>::MIN_UTC, at("2026-01-03T00:00:00Z"));
        assert_eq!(ever, ["tenantId=t/", "resourceId=/tenants/t/providers/microsoft.aadiam/"]);
    }

    #[test]
    fn the_hour_in_which_a_stretch_begins_belongs_to_it() {
        let hour = at("2026-07-16T13:00:00Z");
        assert!(is_since(hour, at("2026-07-16T13:59:59Z")));
        assert!(!is_since(hour, at("2026-07-16T14:00:00Z")));
    }
}
