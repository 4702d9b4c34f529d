//! `signinel identities`: who signed in.

use clap::Subcommand;
use std::fmt::Write as _;

use super::screen::Screen;
use super::settings::Global;
use crate::store::overview::IdentityOverview;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every identity, with its incidents
    List {
        /// As many at most
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// One identity, by name, client id or service principal id
    #[command(after_help = "Example:\n  signinel identities show func-orders-prod")]
    Show {
        /// Its name, client id or service principal id
        name: String,
    },
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    let rows = match &command {
        Command::List { limit } => store.identity_overviews(*limit).await?,
        Command::Show { .. } => store.identity_overviews(u32::MAX).await?,
    };
    store.close().await;
    let Command::Show { name } = command else {
        return screen.rows(&rows, global.is_json());
    };
    let is_named = |row: &IdentityOverview| {
        [&row.name, &row.app_id, &row.service_principal_id]
            .into_iter()
            .any(|text| text.eq_ignore_ascii_case(&name))
    };
    let named: Vec<IdentityOverview> = rows.into_iter().filter(is_named).collect();
    if named.is_empty() {
        anyhow::bail!(
            "no identity is called {}; `signinel identities list` shows those that signed in",
            crate::view::clean(&name)
        );
    }
    if global.is_json() {
        return screen.json(&named);
    }
    let mut text = String::new();
    for row in &named {
        for (what, value) in [
            ("name", row.name.clone()),
            ("client id", row.app_id.clone()),
            ("service principal", row.service_principal_id.clone()),
            ("tenant", row.tenant_id.clone()),
            ("Azure resource", row.arm_resource_id.clone()),
            ("first seen", row.first_seen_at.map_or_else(String::new, crate::view::moment)),
            ("last seen", row.last_seen_at.map_or_else(String::new, crate::view::moment)),
            ("open incidents", row.open_incidents.to_string()),
        ] {
            if !value.is_empty() {
                writeln!(text, "{what:22} {}", crate::view::clean(&value))?;
            }
        }
        text.push('\n');
    }
    screen.text(text.trim_end())
}
