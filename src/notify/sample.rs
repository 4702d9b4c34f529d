//! One incident as the tests of telling use it.

use chrono::{DateTime, TimeDelta, Utc};

use super::message::{Message, commands, topic};
use crate::diagnose::{Card, Cause, Confidence, Step, Who};
use crate::model::{
    Delivery, DeliveryId, Incident, IncidentId, NamedIdentity, Severity, TellReason,
};

pub(super) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_405_840, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(super) fn incident() -> Incident {
    Incident {
        id: IncidentId(12),
        title: "Application not found, many times: `billing-api`".to_owned(),
        severity: Severity::High,
        categories: vec!["spike".to_owned()],
        rules: vec!["application_not_found_spike".to_owned()],
        shadow_rules: Vec::new(),
        is_shadow: false,
        error_codes: vec![700_016],
        identities: vec![NamedIdentity {
            service_principal_id: "3c1e64a5-0d7f-4a53-9a1c-2f6f0f7b9d11".to_owned(),
            app_id: "7f9d2f0a-66b1-4e0e-8a56-0b4f2f1f9c3e".to_owned(),
            name: "billing-api".to_owned(),
        }],
        resources: vec!["Azure Key Vault".to_owned()],
        started_at: at(0),
        detected_at: at(9),
        last_seen_at: at(41),
        opened_at: at(12),
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        resolved_why: None,
        event_count: 34,
        deliveries: 0,
        revision: 1,
    }
}

fn causes() -> Vec<Cause> {
    let text = |text: &str| text.to_owned();
    vec![
        Cause {
            sentence: text(
                "The identity was deleted and made anew; the workload still asks with the old client id.",
            ),
            because: vec![
                text(
                    "`billing-api` signs in with the client id `aa11bb22-cc33-4d44-8e55-ff6677889900` since 02:01 UTC.",
                ),
                text(
                    "The last good sign-in with the old one was 3 minutes before the first failure.",
                ),
            ],
            confidence: Confidence::High,
        },
        Cause {
            sentence: text("The workload asks in the wrong tenant."),
            because: vec![],
            confidence: Confidence::Low,
        },
    ]
}

fn steps() -> Vec<Step> {
    let step = |sentence: &str, command: Option<&str>| Step {
        sentence: sentence.to_owned(),
        command: command.map(str::to_owned),
    };
    vec![
        step(
            "Put the new client id `aa11bb22-cc33-4d44-8e55-ff6677889900` where the workload still has \
                 `7f9d2f0a-66b1-4e0e-8a56-0b4f2f1f9c3e`, and restart it.",
            None,
        ),
        step(
            "See whether the tenant knows this client id:",
            Some("az ad sp show --id 7f9d2f0a-66b1-4e0e-8a56-0b4f2f1f9c3e"),
        ),
        step(
            "Look for the same name with a new client id:",
            Some(
                "az ad sp list --display-name 'billing-api' --query \"[].{appId:appId,id:id,created:createdDateTime}\"",
            ),
        ),
    ]
}

fn card() -> Card {
    let text = |text: &str| text.to_owned();
    Card {
        incident: incident(),
        what: text(
            "The managed identity `billing-api` was refused a token for `Azure Key Vault` 34 times within 41 min: \
             the tenant does not know this application (AADSTS700016).",
        ),
        who: vec![Who {
            name: text("billing-api"),
            service_principal_id: text("3c1e64a5-0d7f-4a53-9a1c-2f6f0f7b9d11"),
            app_id: text("7f9d2f0a-66b1-4e0e-8a56-0b4f2f1f9c3e"),
            tenant_id: text("9b0f4c1e-5f2d-4d53-9a3b-7c1d2e3f4a5b"),
            arm_resource_id: text(
                "/subscriptions/1a2b3c4d-0000-4000-8000-5e6f7a8b9c0d/resourcegroups/rg-billing-prod/providers/\
                 Microsoft.ManagedIdentity/userAssignedIdentities/billing-api",
            ),
            last_good_at: Some(at(-3)),
        }],
        identity_count: 1,
        unusual: vec![
            text("34 sign-ins from 2026-01-03 02:04 UTC to 2026-01-03 02:45 UTC."),
            text("Usual is 0 failures and 96 good sign-ins a day, over 30 days."),
            text("No other identity failed with the same code in this time."),
        ],
        causes: causes(),
        steps: steps(),
        unknown: vec![
            text("Where the requests came from. Entra blanks the address of a managed identity."),
            text("Which vault was meant. The log names the service, not the instance."),
        ],
    }
}

pub(super) fn message(reason: TellReason, number: i64) -> Message {
    Message {
        delivery_id: DeliveryId(number + 40),
        incident_id: IncidentId(12),
        channel: "on call".to_owned(),
        topic: topic(&incident()),
        number,
        reason,
        planned_at: at(13),
        host: "signinel.example.com".to_owned(),
        before: None,
        part_of: None,
        card: card(),
        commands: commands(IncidentId(12), reason),
    }
}

pub(super) fn delivery() -> Delivery {
    Delivery {
        id: DeliveryId(41),
        incident_id: IncidentId(12),
        channel: "on call".to_owned(),
        number: 1,
        reason: TellReason::Opened,
        revision: 1,
        severity: Severity::High,
        event_count: 34,
        planned_at: at(13),
        attempts: 0,
        next_attempt_at: at(13),
        sent_at: None,
        dead_at: None,
        last_error: None,
    }
}
