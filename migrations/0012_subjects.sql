-- A refused identity often shows its client id alone: it is found again by that.
create index identities_by_application on identities (app_id, tenant_id);
