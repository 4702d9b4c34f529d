//! What a source itself counts, without the sign-ins.

/// Sign-ins of one identity for one resource with one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub service_principal_id: String,
    pub app_id: String,
    pub resource_id: String,
    pub error_code: i64,
    pub count: u64,
}

impl Summary {
    /// What it is a count of. An identity that is gone has no service principal, only its client id.
    #[must_use]
    pub fn key(&self) -> (&str, &str, i64) {
        let identity = if self.service_principal_id.is_empty() {
            &self.app_id
        } else {
            &self.service_principal_id
        };
        (identity, &self.resource_id, self.error_code)
    }
}

/// Sign-ins that one side counts and the other has not.
#[must_use]
pub fn missing(counted: &[Summary], held: &[Summary]) -> u64 {
    let mut balance = std::collections::BTreeMap::new();
    for summary in counted {
        *balance.entry(summary.key()).or_insert(0_i128) += i128::from(summary.count);
    }
    for summary in held {
        *balance.entry(summary.key()).or_insert(0) -= i128::from(summary.count);
    }
    let lacking: i128 = balance.into_values().filter(|count| *count > 0).sum();
    u64::try_from(lacking).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(principal: &str, app: &str, code: i64, count: u64) -> Summary {
        Summary {
            service_principal_id: principal.to_owned(),
            app_id: app.to_owned(),
            resource_id: "r".to_owned(),
            error_code: code,
            count,
        }
    }

    #[test]
    fn only_what_is_lacking_counts_and_more_of_one_does_not_make_up_for_another() {
        let counted = [of("a", "x", 0, 5), of("b", "y", 0, 2), of("", "z", 700_016, 3)];
        assert_eq!(missing(&counted, &counted), 0);
        assert_eq!(missing(&counted, &[of("a", "x", 0, 9), of("", "z", 700_016, 1)]), 4);
        assert_eq!(missing(&[], &counted), 0);
    }
}
