//! Tables with their parts.

use limbeck_schema::kinds::{self, Deferral, ElementKey, columns_of, default_of, is_not_null};
use limbeck_schema::{Key, KindTag, Name, Object};

use crate::lift::types::serial_name;
use crate::lift::{Lift, Numbers};
use crate::lower::implied::collation_text;
use crate::model::{self, GivenName, Match};

/// What is said of the index behind a constraint: columns, `INCLUDE`, deferrable, initially deferred, storage parameters.
type KeyFacts = (
    Vec<limbeck_schema::Ident>,
    Vec<limbeck_schema::Ident>,
    (bool, bool),
    std::collections::BTreeMap<String, String>,
);

impl Lift<'_> {
    pub(super) fn table(&self, table: &kinds::Table) -> model::Table {
        let kinds::Table {
            name,
            unlogged,
            options,
            partition_by,
            inherits,
        } = table;
        let mut lifted = model::Table {
            schema: name.schema.clone(),
            comment: self.comment_on(KindTag::Table, name),
            unlogged: *unlogged,
            with: options.to_map(),
            partition_by: partition_by.clone(),
            inherits: inherits.iter().map(ToString::to_string).collect(),
            ..model::Table::new(name.name.clone())
        };
        let columns = columns_of(self.schema, name);
        lifted.columns = columns.into_iter().map(|it| self.column(it)).collect();
        let kinds = KindTag::ALL.iter();
        for (key, object) in kinds.flat_map(|kind| self.schema.parts(*kind, name)) {
            match object {
                Object::PrimaryKey(it) => lifted.primary_key = Some(self.primary_key(key, it)),
                Object::Unique(it) => lifted.uniques.push(self.unique(key, it)),
                Object::Check(it) => lifted.checks.push(self.check(key, it)),
                Object::Exclusion(it) => lifted.exclusions.push(self.exclusion(key, it)),
                Object::Index(it) => lifted.indexes.push(self.index(key, it)),
                Object::ForeignKey(it) => lifted.foreign_keys.extend(self.foreign_key(key, it)),
                Object::InheritedColumn(it) => lifted.columns.push(self.inherited_column(it)),
                _ => {}
            }
        }
        lifted
    }

    fn column(&self, column: &kinds::Column) -> model::Column {
        let kinds::Column {
            table,
            name,
            position: _,
            ty,
            collation,
            nullable,
            // Metadata has no word for the constraint behind NOT NULL.
            not_null: _,
            default,
            generated,
            is_virtual,
            can_set_expression: _,
            identity,
            physical,
        } = column;
        let serial = self.is_serial(column);
        let default = default.as_ref().filter(|_| !serial);
        let mut lifted = model::Column::new(name.clone(), self.type_text(ty));
        lifted.nullable = *nullable;
        lifted.serial = serial;
        lifted.collation = collation.as_deref().map(collation_text);
        lifted.default = default.map(ToString::to_string);
        lifted.generated = generated.as_ref().map(ToString::to_string);
        lifted.is_virtual = *is_virtual;
        lifted.identity = identity
            .as_deref()
            .map(|it| Box::new(self.identity(column, it)));
        lifted.physical = physical.as_deref().and_then(physical_of).map(Box::new);
        lifted.comment = self.comment(&Key::part(KindTag::Column, table, name));
        lifted
    }

    /// What a table says of its own about a column that it inherits, as a declaration beside that.
    fn inherited_column(&self, column: &kinds::InheritedColumn) -> model::Column {
        let kinds::InheritedColumn {
            table,
            name,
            ty,
            default: _,
            not_null: _,
            constraint: _,
            storage,
            compression,
            statistics,
            options,
        } = column;
        let mut lifted = model::Column::new(name.clone(), self.type_text(ty));
        lifted.nullable = !is_not_null(self.schema, table, name);
        lifted.default = default_of(self.schema, table, name).map(|it| it.to_string());
        let physical = kinds::Physical {
            storage: *storage,
            compression: compression.clone(),
            statistics: *statistics,
            options: options.clone(),
        };
        lifted.physical = physical_of(&physical).map(Box::new);
        lifted
    }

    fn identity(&self, column: &kinds::Column, identity: &kinds::Identity) -> model::Identity {
        let kinds::Identity {
            always,
            sequence,
            options,
        } = identity;
        let Numbers {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = Numbers::new(column.ty.as_str(), options);
        let default = column.table.sibling(serial_name(column));
        let sequence = sequence.as_ref().unwrap_or(&default);
        model::Identity {
            always: *always,
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            sequence: (*sequence != default).then(|| sequence.name.clone()),
            comment: self.comment_on(KindTag::Sequence, sequence),
        }
    }

    fn primary_key(&self, key: &Key, it: &kinds::PrimaryKey) -> model::PrimaryKey {
        let kinds::PrimaryKey {
            table: _,
            name,
            index,
        } = it;
        let (columns, include, (deferrable, initially_deferred), with) = key_facts(index);
        model::PrimaryKey {
            name: Some(GivenName::Name(name.clone())),
            columns,
            include,
            deferrable,
            initially_deferred,
            without_overlaps: index.without_overlaps,
            with,
            comment: self.comment(key),
            index_comment: self.index_comment(key),
        }
    }

    fn unique(&self, key: &Key, it: &kinds::Unique) -> model::Unique {
        let kinds::Unique {
            table: _,
            name,
            index,
            nulls_not_distinct,
        } = it;
        let (columns, include, (deferrable, initially_deferred), with) = key_facts(index);
        model::Unique {
            name: Some(GivenName::Name(name.clone())),
            columns,
            include,
            nulls_not_distinct: *nulls_not_distinct,
            deferrable,
            initially_deferred,
            without_overlaps: index.without_overlaps,
            with,
            comment: self.comment(key),
            index_comment: self.index_comment(key),
        }
    }

    fn check(&self, key: &Key, it: &kinds::Check) -> model::Check {
        let kinds::Check {
            table: _,
            name,
            expression,
            no_inherit,
            valid,
            enforced,
        } = it;
        model::Check {
            name: Some(GivenName::Name(name.clone())),
            expression: expression.to_string(),
            no_inherit: *no_inherit,
            not_valid: !valid,
            not_enforced: !enforced,
            comment: self.comment(key),
        }
    }

    fn exclusion(&self, key: &Key, it: &kinds::Exclusion) -> model::Exclusion {
        let kinds::Exclusion {
            table: _,
            name,
            method,
            elements,
            include,
            options,
            predicate,
            deferral,
        } = it;
        let excluded = |it: &kinds::Excluded| model::Element {
            operator: Some(it.operator.clone()),
            ..element(&it.element)
        };
        let (deferrable, initially_deferred) = deferred(*deferral);
        model::Exclusion {
            name: Some(GivenName::Name(name.clone())),
            method: method.clone(),
            elements: elements.iter().map(excluded).collect(),
            include: include.clone(),
            predicate: predicate.as_ref().map(ToString::to_string),
            deferrable,
            initially_deferred,
            with: options.to_map(),
            comment: self.comment(key),
            index_comment: self.index_comment(key),
        }
    }

    /// An index as if it were valid: one that is not is left of a build that failed, and nobody declares it.
    fn index(&self, key: &Key, it: &kinds::Index) -> model::Index {
        let kinds::Index {
            table: _,
            name,
            unique,
            method,
            elements,
            include,
            nulls_not_distinct,
            options,
            predicate,
            valid: _,
            statistics,
            partitioned: _,
        } = it;
        model::Index {
            name: Some(GivenName::Name(name.clone())),
            unique: *unique,
            method: method.clone(),
            elements: elements.iter().map(element).collect(),
            include: include.clone(),
            predicate: predicate.as_ref().map(ToString::to_string),
            nulls_not_distinct: *nulls_not_distinct,
            with: options.to_map(),
            statistics: statistics.clone().unwrap_or_default(),
            comment: self.comment(key),
        }
    }

    /// A foreign key; none if it refers to a table that is not managed, a partition.
    fn foreign_key(&self, key: &Key, it: &kinds::ForeignKey) -> Option<model::ForeignKey> {
        let kinds::ForeignKey {
            table: _,
            name,
            columns,
            references,
            on_delete,
            on_delete_columns,
            on_update,
            match_full,
            deferral,
            valid,
            enforced,
            period,
            // Metadata has no word for what nobody asks for.
            switched_off: _,
        } = it;
        let (deferrable, initially_deferred) = deferred(*deferral);
        let kinds::References {
            table: target,
            columns: targets,
        } = references;
        if !self.schema.contains(&Key::of(KindTag::Table, target)) {
            return None;
        }
        Some(model::ForeignKey {
            name: Some(GivenName::Name(name.clone())),
            columns: columns.clone(),
            references: model::References {
                schema: target.schema.clone(),
                table: target.name.clone(),
                columns: if self.is_primary_key(target, targets) {
                    Vec::new()
                } else {
                    targets.clone()
                },
            },
            on_delete: *on_delete,
            on_update: *on_update,
            on_delete_columns: on_delete_columns.clone(),
            match_type: if *match_full {
                Match::Full
            } else {
                Match::Simple
            },
            deferrable,
            initially_deferred,
            not_valid: !valid,
            not_enforced: !enforced,
            period: *period,
            comment: self.comment(key),
        })
    }

    fn is_primary_key(&self, table: &Name, columns: &[limbeck_schema::Ident]) -> bool {
        let mut keys = self.schema.parts(KindTag::PrimaryKey, table);
        keys.any(|(_, it)| matches!(it, Object::PrimaryKey(it) if it.index.columns == columns))
    }

    /// The comment on the index behind a constraint.
    fn index_comment(&self, key: &Key) -> Option<String> {
        self.comment(&Key {
            kind: KindTag::Index,
            ..key.clone()
        })
    }
}

fn physical_of(physical: &kinds::Physical) -> Option<model::Physical> {
    if *physical == kinds::Physical::default() {
        return None;
    }
    let kinds::Physical {
        storage,
        compression,
        statistics,
        options,
    } = physical;
    Some(model::Physical {
        storage: *storage,
        compression: compression.clone(),
        statistics: *statistics,
        with: options.to_map(),
    })
}

fn key_facts(index: &kinds::KeyIndex) -> KeyFacts {
    let kinds::KeyIndex {
        columns,
        include,
        deferral,
        options,
        without_overlaps: _,
        partitioned: _,
    } = index;
    (
        columns.clone(),
        include.clone(),
        deferred(*deferral),
        options.to_map(),
    )
}

fn deferred(deferral: Deferral) -> (bool, bool) {
    match deferral {
        Deferral::No => (false, false),
        Deferral::Immediate => (true, false),
        Deferral::Deferred => (true, true),
    }
}

fn element(element: &kinds::Element) -> model::Element {
    let kinds::Element {
        key,
        collation,
        opclass,
        opclass_options,
        order,
        nulls,
        defaults: _,
    } = element;
    let (column, expression) = match key {
        ElementKey::Column(name) => (Some(name.clone()), None),
        ElementKey::Expression(it) => (None, Some(it.to_string())),
    };
    let options = match opclass_options.as_slice() {
        [] => String::new(),
        options => format!("({})", options.join(", ")),
    };
    let order = match order {
        kinds::Order::Asc => model::Order::Asc,
        kinds::Order::Desc => model::Order::Desc,
    };
    let nulls = match (nulls, order) {
        (kinds::Nulls::First, model::Order::Asc) => Some(model::Nulls::First),
        (kinds::Nulls::Last, model::Order::Desc) => Some(model::Nulls::Last),
        (kinds::Nulls::First | kinds::Nulls::Last, _) => None,
    };
    model::Element {
        column,
        expression,
        operator: None,
        opclass: opclass.as_ref().map(|it| format!("{it}{options}")),
        collation: collation.as_ref().map(collation_text),
        order,
        nulls,
    }
}
