//! Which findings of a subject make one incident. Pure: the same findings, the same incidents.

use crate::config::IncidentsConfig;
use crate::model::FindingId;

/// A finding as grouping sees it. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub id: FindingId,
    pub rule: String,
    pub group_id: i64,
    pub started_at: i64,
    pub last_at: i64,
}

/// Parts findings into incidents, given in the order of their beginning.
///
/// Two findings are of one incident when no more than `gather_for` lies between them, or no more than
/// `reopen_within` where they are of the same rule and group: then the same thing has come back.
#[must_use]
pub(super) fn gather(mut pieces: Vec<Piece>, config: &IncidentsConfig) -> Vec<Vec<Piece>> {
    pieces.sort_by(|a, b| (a.started_at, &a.rule, a.id).cmp(&(b.started_at, &b.rule, b.id)));
    let mut incidents: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        let (mut joined, apart): (Vec<_>, Vec<_>) = incidents
            .into_iter()
            .partition(|incident| incident.iter().any(|other| are_one(other, &piece, config)));
        incidents = apart;
        let mut incident = if joined.is_empty() { Vec::new() } else { joined.remove(0) };
        incident.extend(joined.into_iter().flatten());
        incident.push(piece);
        incidents.push(incident);
    }
    incidents
        .sort_by_key(|incident| incident.iter().map(|piece| (piece.started_at, piece.id)).min());
    incidents
}

/// `later` begins no earlier than `earlier`.
pub(super) fn are_one(earlier: &Piece, later: &Piece, config: &IncidentsConfig) -> bool {
    let gap = later.started_at.saturating_sub(earlier.last_at);
    let micros = |span: crate::config::Span| i64::try_from(span.0.as_micros()).unwrap_or(i64::MAX);
    gap <= micros(config.gather_for)
        || (earlier.rule == later.rule
            && earlier.group_id == later.group_id
            && gap <= micros(config.reopen_within))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn ids(incidents: &[Vec<Piece>]) -> Vec<Vec<i64>> {
        incidents.iter().map(|incident| incident.iter().map(|piece| piece.id.0).collect()).collect()
    }

    #[test]
    fn findings_that_touch_or_nearly_touch_make_one() {
        let pieces = vec![piece(2, "b", 3, 4), piece(1, "a", 0, 2), piece(3, "c", 6, 7)];
        assert_eq!(ids(&gather(pieces, &IncidentsConfig::default())), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn the_same_rule_a_few_hours_later_reopens_and_bridges_what_lay_between() {
        let pieces = vec![piece(1, "a", 0, 1), piece(2, "b", 5, 6), piece(3, "a", 7, 8)];
        assert_eq!(ids(&gather(pieces, &IncidentsConfig::default())), [vec![1, 2, 3]]);
    }

    #[test]
    fn another_address_a_few_hours_later_is_another_incident() {
        let other = Piece { group_id: 2, ..piece(2, "a", 3, 4) };
        let pieces = vec![piece(1, "a", 0, 1), other, piece(3, "a", 6, 7)];
        assert_eq!(ids(&gather(pieces, &IncidentsConfig::default())), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn two_days_later_is_another_incident() {
        let pieces = vec![piece(1, "a", 0, 1), piece(2, "a", 49, 50)];
        assert_eq!(ids(&gather(pieces, &IncidentsConfig::default())), [vec![1], vec![2]]);
    }
}
