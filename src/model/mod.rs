//! The words of the path: plain values that every other module shares and that know nobody.

mod delivery;
mod event;
mod finding;
mod horizon;
mod id;
mod incident;
mod lateness;
mod ledger;
mod record;
mod sent;
mod severity;
mod silence;
mod span;
mod summary;

pub use delivery::{Delivery, TellReason};
pub use event::{Event, Facet, Identity, Resource, SignInType};
pub use finding::{Draft, Finding, NAMED_AT_MOST, RuleFacts};
pub use horizon::believable;
pub use id::{DeliveryId, EventId, FindingId, IncidentId, SilenceId};
pub use incident::{COVERAGE, Incident, IncidentState, NamedIdentity, ResolvedBy};
pub use lateness::Lateness;
pub use ledger::{Covered, Interval, Ledger};
pub use record::{Form, RawRecord, Rejected};
pub use sent::Sent;
pub use severity::Severity;
pub use silence::{Silence, SilenceScope};
pub use span::span_in_words;
pub use summary::{Summary, missing};
