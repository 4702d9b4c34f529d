//! Findings of rules in shadow: they stand beside incidents of live findings and change nothing of these.

use super::grouping::{Piece, are_one, gather};
use crate::config::IncidentsConfig;

/// Parts findings into incidents as if those in shadow were not there. One in shadow then joins an incident
/// that it touches, though it never makes one of two; those left over make incidents of their own.
#[must_use]
pub(super) fn gather_beside(
    live: Vec<Piece>,
    shadow: Vec<Piece>,
    config: &IncidentsConfig,
) -> Vec<Vec<Piece>> {
    let live = gather(live, config);
    let touches = |one: &Piece, other: &Piece| {
        if one.started_at <= other.started_at {
            are_one(one, other, config)
        } else {
            are_one(other, one, config)
        }
    };
    let mut incidents = live.clone();
    let mut apart = Vec::new();
    for piece in shadow {
        let beside =
            live.iter().position(|incident| incident.iter().any(|other| touches(other, &piece)));
        match beside {
            Some(place) => incidents[place].push(piece),
            None => apart.push(piece),
        }
    }
    incidents.extend(gather(apart, config));
    incidents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FindingId;

    const HOUR: i64 = 3_600_000_000;

    fn piece(id: i64, rule: &str, started_hour: i64, last_hour: i64) -> Piece {
        Piece {
            id: FindingId(id),
            rule: rule.to_owned(),
            group_id: 1,
            started_at: started_hour * HOUR,
            last_at: last_hour * HOUR,
        }
    }

    #[test]
    fn a_finding_in_shadow_joins_one_incident_and_makes_none_of_two() {
        let live = vec![piece(1, "a", 0, 1), piece(2, "b", 4, 5)];
        let shadow = vec![piece(3, "s", 1, 4), piece(4, "s", 30, 31), piece(5, "s", 31, 32)];
        let parted: Vec<Vec<i64>> = gather_beside(live, shadow, &IncidentsConfig::default())
            .iter()
            .map(|incident| incident.iter().map(|piece| piece.id.0).collect())
            .collect();
        assert_eq!(parted, [vec![1, 3], vec![2], vec![4, 5]]);
    }
}
