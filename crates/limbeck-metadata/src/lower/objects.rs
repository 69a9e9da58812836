//! Schemas, enum types and sequences of their own.

use std::collections::BTreeSet;

use limbeck_schema::kinds;
use limbeck_schema::{Key, KindTag, MAX_IDENTIFIER_BYTES, Name, Object};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::sequences::{Numbers, integer_type};
use crate::model;
use crate::naming::fits;

impl<'a> Lowering<'a> {
    /// Lowers everything that is no table.
    pub(super) fn objects(&mut self) -> Result<(), MetaDataError> {
        self.check_manages()?;
        self.namespaces()?;
        let metadata = self.metadata;
        for ty in &metadata.enums {
            self.enum_type(ty)
                .map_err(|error| error.at(ty.place.as_deref()))?;
        }
        self.types()?;
        for sequence in &metadata.sequences {
            self.sequence(sequence)
                .map_err(|error| error.at(sequence.place.as_deref()))?;
        }
        Ok(())
    }

    /// The declared schemas, and those that declared objects need: creating a table in a schema that is not there
    /// would fail.
    fn namespaces(&mut self) -> Result<(), MetaDataError> {
        let metadata = self.metadata;
        let mut names: BTreeSet<_> = self.named_schemas().into_iter().flatten().collect();
        let mut declared = BTreeSet::new();
        for it in &metadata.schemas {
            fits(&it.name, || "schema".into())?;
            if !declared.insert(&it.name) {
                let place = metadata.place.as_deref();
                return Err(crate::merge::declared_twice(
                    &format!("schema {}", it.name),
                    place,
                    place,
                ));
            }
            // The default schema is no object, but it can have a comment.
            if it.name != *self.default_schema {
                names.insert(it.name.clone());
            }
            self.comment(
                Key::of(KindTag::Namespace, &Name::plain(it.name.clone())),
                it.comment.as_deref(),
            );
        }
        for name in names {
            self.push(kinds::Namespace { name });
        }
        Ok(())
    }

    fn enum_type(&mut self, ty: &'a model::EnumType) -> Result<(), MetaDataError> {
        let name = self.resolve_type(ty.schema.as_ref(), &ty.name);
        let object = || format!("enum {name}");
        fits(&ty.name, object)?;
        let mut seen = BTreeSet::new();
        for label in &ty.labels {
            if !seen.insert(label) {
                return Err(MetaDataError::invalid(
                    object(),
                    format!("label '{label}' stands twice; remove one"),
                ));
            }
            if label.len() > MAX_IDENTIFIER_BYTES {
                let problem = format!(
                    "label '{label}' has {} bytes and PostgreSQL keeps {MAX_IDENTIFIER_BYTES}; shorten it",
                    label.len()
                );
                return Err(MetaDataError::invalid(object(), problem));
            }
        }
        // A table's row type has the table's name among the types.
        if self.tables.contains_key(&name) {
            let first = format!("table {name}");
            return Err(MetaDataError::Collision {
                name: name.to_string(),
                first,
                second: object(),
            });
        }
        self.comment(Key::of(KindTag::EnumType, &name), ty.comment.as_deref());
        self.push(kinds::EnumType {
            name,
            labels: ty.labels.clone(),
        });
        Ok(())
    }

    fn sequence(&mut self, sequence: &'a model::Sequence) -> Result<(), MetaDataError> {
        let name = self.resolve(sequence.schema.as_ref(), &sequence.name);
        let object = || format!("sequence {name}");
        fits(&sequence.name, object)?;
        self.names.relation("sequence", &name)?;
        let spelled = sequence.ty.as_deref().unwrap_or("bigint");
        let ty = self
            .sql_type(spelled)
            .and_then(integer_type)
            .ok_or_else(|| {
                MetaDataError::invalid(
                    object(),
                    format!("type `{spelled}` is none of smallint, integer and bigint"),
                )
            })?;
        let options = Numbers::from(sequence).options(ty.as_str(), object)?;
        if let Some(owner) = &sequence.owned_by {
            let owner = self.owner(&name, owner)?;
            self.push(owner);
        }
        self.place(KindTag::Sequence, &name, sequence.place.as_deref());
        self.comment(
            Key::of(KindTag::Sequence, &name),
            sequence.comment.as_deref(),
        );
        self.push(kinds::Sequence {
            name,
            ty,
            options,
            unlogged: sequence.unlogged,
        });
        Ok(())
    }

    fn owner(
        &self,
        sequence: &Name,
        owner: &model::OwnedBy,
    ) -> Result<kinds::SequenceOwner, MetaDataError> {
        let table = self.resolve(owner.schema.as_ref(), &owner.table);
        let object = || format!("sequence {sequence}");
        match self.tables.get(&table) {
            Some(declared) if !declared.columns.iter().any(|it| it.name == owner.column) => {
                let problem = format!(
                    "it is owned by column {} of table {table}, which has no such column; declare it",
                    owner.column
                );
                return Err(MetaDataError::missing(object(), problem));
            }
            None if !self.is_ignored(&table) => {
                let problem = format!(
                    "it is owned by a column of table {table}, which is not declared; declare it, or list it in \
                     ignore.tables"
                );
                return Err(MetaDataError::missing(object(), problem));
            }
            _ => {}
        }
        if table.schema != sequence.schema {
            let problem = format!(
                "it is owned by a column of table {table}; PostgreSQL wants both in one schema"
            );
            return Err(MetaDataError::invalid(object(), problem));
        }
        Ok(kinds::SequenceOwner {
            sequence: sequence.clone(),
            table,
            column: owner.column.clone(),
        })
    }
}

/// The name of a part, for sorting.
pub(super) fn sort_parts(objects: &mut [Object]) {
    if objects.len() > 1 {
        objects.sort_by_cached_key(Object::key);
    }
}
