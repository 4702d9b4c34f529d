//! `signinel simulate`: realistic records with labelled scenarios.
