//! Several modules' metadata as one.

use std::collections::BTreeSet;

use limbeck_schema::{Ident, Name};

use crate::error::MetaDataError;
use crate::model::MetaData;

impl MetaData {
    /// The metadata of several modules as one. Where their schemas differ, each one's is written on its objects.
    ///
    /// # Errors
    /// If two declare one table, sequence or schema, or one enum type in two ways (the message names both places), or
    /// state different naming conventions.
    pub fn merge(parts: impl IntoIterator<Item = Self>) -> Result<Self, MetaDataError> {
        let mut parts: Vec<Self> = parts.into_iter().collect();
        let schema = parts.first().and_then(|it| it.schema.clone());
        let mut merged = Self::new();
        if parts.iter().all(|it| it.schema == schema) {
            merged.schema = schema;
        } else {
            merged.leaves_default_schema = parts
                .iter()
                .all(|it| it.schema.is_some() || it.leaves_default_schema);
            parts.iter_mut().for_each(Self::write_schema);
        }
        if let [only] = parts.as_slice() {
            merged.leaves_default_schema = only.leaves_default_schema;
        }
        if parts.len() > 1 {
            let renamed = parts.iter_mut().map(Self::take_prefix);
            let renamed = renamed.reduce(|mut all, more| {
                all.extend(more);
                all
            });
            let renamed = renamed.unwrap_or_default();
            parts.iter_mut().for_each(|it| it.follow_prefixes(&renamed));
        }
        let mut stated: Option<String> = None;
        for part in parts {
            let place = part.place.clone().unwrap_or_else(|| "metadata".into());
            match (&merged.naming_convention, &part.naming_convention) {
                (Some(first), Some(second)) if first != second => {
                    let first = stated.unwrap_or_else(|| "metadata".into());
                    return Err(MetaDataError::Conventions {
                        first,
                        second: place,
                    });
                }
                (None, Some(_)) => {
                    stated = Some(place);
                    merged.naming_convention = part.naming_convention.clone();
                }
                _ => {}
            }
            merged.take(part)?;
        }
        Ok(merged)
    }

    fn take(&mut self, part: Self) -> Result<(), MetaDataError> {
        self.manages.extend(part.manages);
        self.table_prefix = self.table_prefix.take().or(part.table_prefix);
        for (name, value) in part.variables {
            match self.variables.get(&name) {
                Some(first) if *first != value => {
                    let problem = "two modules give it different values; keep one of them";
                    return Err(MetaDataError::invalid(format!("variable {name}"), problem));
                }
                _ => drop(self.variables.insert(name, value)),
            }
        }
        for glob in part.ignore.tables {
            if !self.ignore.tables.contains(&glob) {
                self.ignore.tables.push(glob);
            }
        }
        for it in part.schemas {
            match self.schemas.iter_mut().find(|known| known.name == it.name) {
                Some(known) if known.comment.is_none() => known.comment = it.comment,
                Some(known) if it.comment.is_some() && known.comment != it.comment => {
                    let problem = "two modules give it different comments; keep one of them";
                    return Err(MetaDataError::invalid(
                        format!("schema {}", it.name),
                        problem,
                    ));
                }
                Some(_) => {}
                None => self.schemas.push(it),
            }
        }
        // Enum types that coincide are one; every other pair of declarations is found here, with both places.
        for it in part.enums {
            self.add_enum(it);
        }
        self.domains.extend(part.domains);
        self.composite_types.extend(part.composite_types);
        self.ranges.extend(part.ranges);
        self.collations.extend(part.collations);
        self.sequences.extend(part.sequences);
        self.tables.extend(part.tables);
        self.check_twice()
    }

    /// Looks for two declarations of one object.
    pub(crate) fn check_twice(&self) -> Result<(), MetaDataError> {
        check(
            "table",
            self.tables
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "enum",
            self.enums
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "domain",
            self.domains
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "composite type",
            self.composite_types
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "range",
            self.ranges
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "collation",
            self.collations
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )?;
        check(
            "sequence",
            self.sequences
                .iter()
                .map(|it| (&it.schema, &it.name, it.place.as_deref())),
        )
    }

    /// Writes the schema on everything that names none.
    fn write_schema(&mut self) {
        let Some(schema) = self.schema.take() else {
            return;
        };
        let fill = |it: &mut Option<Ident>| {
            it.get_or_insert_with(|| schema.clone());
        };
        let enums = self.enums.iter().map(|it| (&it.schema, &it.name));
        let domains = self.domains.iter().map(|it| (&it.schema, &it.name));
        let composites = self.composite_types.iter().map(|it| (&it.schema, &it.name));
        let ranges = self.ranges.iter().map(|it| (&it.schema, &it.name));
        let types: BTreeSet<Ident> = enums
            .chain(domains)
            .chain(composites)
            .chain(ranges)
            .filter(|(schema, _)| schema.is_none())
            .map(|(_, name)| name.clone())
            .collect();
        let qualify = |ty: &mut String| {
            let element = ty.trim_end_matches("[]");
            if let Some(Name { schema: None, name }) = Name::parse(element)
                && types.contains(&name)
            {
                let name = Name::qualified(Some(schema.clone()), name);
                *ty = format!("{name}{}", &ty[element.len()..]);
            }
        };
        self.enums.iter_mut().for_each(|it| fill(&mut it.schema));
        self.collations
            .iter_mut()
            .for_each(|it| fill(&mut it.schema));
        for domain in &mut self.domains {
            fill(&mut domain.schema);
            qualify(&mut domain.ty);
        }
        for composite in &mut self.composite_types {
            fill(&mut composite.schema);
            composite
                .attributes
                .iter_mut()
                .for_each(|it| qualify(&mut it.ty));
        }
        for range in &mut self.ranges {
            fill(&mut range.schema);
            qualify(&mut range.subtype);
        }
        for sequence in &mut self.sequences {
            fill(&mut sequence.schema);
            sequence
                .owned_by
                .iter_mut()
                .for_each(|it| fill(&mut it.schema));
        }
        for table in &mut self.tables {
            fill(&mut table.schema);
            table
                .foreign_keys
                .iter_mut()
                .for_each(|it| fill(&mut it.references.schema));
            table.columns.iter_mut().for_each(|it| qualify(&mut it.ty));
        }
    }
}

/// Looks for two of one name among declarations, given as schema, name and place.
fn check<'a>(
    kind: &str,
    declared: impl Iterator<Item = (&'a Option<Ident>, &'a Ident, Option<&'a str>)>,
) -> Result<(), MetaDataError> {
    let mut sorted: Vec<_> = declared.collect();
    sorted.sort_by_key(|it| (it.0, it.1));
    let Some(pair) = sorted
        .windows(2)
        .find(|it| it[0].0 == it[1].0 && it[0].1 == it[1].1)
    else {
        return Ok(());
    };
    let name = Name {
        schema: pair[0].0.clone(),
        name: pair[0].1.clone(),
    };
    Err(declared_twice(
        &format!("{kind} {name}"),
        pair[0].2,
        pair[1].2,
    ))
}

pub(crate) fn declared_twice(
    object: &str,
    first: Option<&str>,
    second: Option<&str>,
) -> MetaDataError {
    let place = |it: Option<&str>| {
        it.map_or_else(|| "at an unknown place".to_owned(), |it| format!("at {it}"))
    };
    MetaDataError::DeclaredTwice {
        object: object.into(),
        first: place(first),
        second: place(second),
    }
}
