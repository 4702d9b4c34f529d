-- What incidents take from a rule besides its findings: its title, level and category, and whether it is in
-- shadow. When it changes, the incidents of its findings are worked out anew.
alter table rules add column facts text not null default '';
