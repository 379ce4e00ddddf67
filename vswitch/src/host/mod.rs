//! Links and namespaces.
