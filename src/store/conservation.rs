//! Whether every record that was read is accounted for.

use super::{Store, StoreError, Tally};

impl Store {
    /// What does not add up, a sentence each; empty when all does. Of each source,
    /// `read = stored + duplicates + rejected + other`, and of all the other ones it is known what they are;
    /// of all together, as many were stored as events have a place in the order of arrival.
    pub async fn unaccounted(&self) -> Result<Vec<String>, StoreError> {
        let mut reader = self.readers().begin().await?;
        let rows: Vec<(String, i64, i64, i64, i64, i64)> = sqlx::query_as(
            "select name, read, stored, duplicates, rejected, other from sources order by name",
        )
        .fetch_all(&mut *reader)
        .await?;
        let unequal: Vec<(String, i64, i64)> = sqlx::query_as(
            "select s.name, s.other, coalesce(sum(o.count), 0) as sum from sources s \
             left join others o on o.source_id = s.id group by s.id having s.other <> sum order by s.name",
        )
        .fetch_all(&mut *reader)
        .await?;
        let last_seq: i64 = sqlx::query_scalar("select coalesce(max(seq), 0) from events")
            .fetch_one(&mut *reader)
            .await?;
        let mut faults: Vec<String> = rows
            .iter()
            .filter_map(|(name, read, stored, duplicates, rejected, other)| {
                let sum = stored + duplicates + rejected + other;
                (sum != *read).then(|| {
                    format!("of `{name}` {read} records were read and {sum} are accounted for")
                })
            })
            .collect();
        faults.extend(unequal.iter().map(|(name, other, sum)| {
            format!(
                "of `{name}` {other} records were left out and of {sum} it is known what they are"
            )
        }));
        let stored: i64 = rows.iter().map(|(_, _, stored, ..)| stored).sum();
        if stored != last_seq {
            faults.push(format!(
                "{stored} records were stored and {last_seq} events have had a place"
            ));
        }
        Ok(faults)
    }
}

/// Counts what a read gave, for whoever collects metrics.
pub(super) fn meter(source: &str, tally: &Tally) {
    let parts = [
        ("stored", tally.stored),
        ("duplicate", tally.duplicates),
        ("rejected", tally.rejected),
        ("other", tally.other),
    ];
    for (outcome, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        metrics::counter!("signinel_records_total", "source" => source.to_owned(), "outcome" => outcome)
            .increment(count);
    }
}
