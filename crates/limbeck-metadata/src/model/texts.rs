//! Every text in declared metadata that can hold a variable.

use limbeck_schema::Ident;

use crate::model::{
    Attribute, Check, Collation, Column, CompositeType, Domain, DomainCheck, Element, EnumType,
    Exclusion, ForeignKey, GivenName, Identity, Ignore, Index, MetaData, Namespace, OwnedBy,
    PrimaryKey, RangeType, References, Sequence, Table, Unique,
};

/// A text that can hold a variable.
pub(crate) enum Text<'a> {
    /// A name.
    Name(&'a mut Ident),
    /// A glob over names.
    Glob(&'a mut String),
    /// SQL: a type, an expression, a name as SQL spells it.
    Sql(&'a mut String),
}

/// Takes the texts one after the other.
pub(crate) type TextVisitor<'v, E> = dyn FnMut(Text<'_>) -> Result<(), E> + 'v;

fn names<'a, E>(
    names: impl IntoIterator<Item = &'a mut Ident>,
    visit: &mut TextVisitor<'_, E>,
) -> Result<(), E> {
    names.into_iter().try_for_each(|it| visit(Text::Name(it)))
}

fn sql<'a, E>(
    texts: impl IntoIterator<Item = &'a mut String>,
    visit: &mut TextVisitor<'_, E>,
) -> Result<(), E> {
    texts.into_iter().try_for_each(|it| visit(Text::Sql(it)))
}

fn given<E>(name: &mut Option<GivenName>, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
    match name {
        Some(GivenName::Name(name) | GivenName::Exact(name)) => visit(Text::Name(name)),
        None => Ok(()),
    }
}

impl MetaData {
    /// Lends out every text that can hold a variable and belongs to no object with a place of its own.
    pub(crate) fn own_texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Ignore { tables } = &mut self.ignore;
        tables.iter_mut().try_for_each(|it| visit(Text::Glob(it)))?;
        for Namespace { name, comment: _ } in &mut self.schemas {
            visit(Text::Name(name))?;
        }
        names(&mut self.schema, visit)
    }
}

impl EnumType {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            labels: _,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)
    }
}

impl Domain {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            ty,
            nullable: _,
            default,
            collation,
            checks,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)?;
        sql(default.iter_mut().chain(collation).chain([ty]), visit)?;
        for check in checks {
            let DomainCheck {
                name,
                expression,
                not_valid: _,
                comment: _,
            } = check;
            names(name, visit)?;
            visit(Text::Sql(expression))?;
        }
        Ok(())
    }
}

impl CompositeType {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            attributes,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)?;
        for attribute in attributes {
            let Attribute {
                name,
                ty,
                collation,
                comment: _,
            } = attribute;
            visit(Text::Name(name))?;
            sql(collation.iter_mut().chain([ty]), visit)?;
        }
        Ok(())
    }
}

impl RangeType {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            subtype,
            opclass,
            collation,
            canonical,
            subtype_diff,
            multirange,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)?;
        let optional = [opclass, collation, canonical, subtype_diff, multirange];
        sql(optional.into_iter().flatten().chain([subtype]), visit)
    }
}

impl Collation {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            provider: _,
            locale: _,
            ctype: _,
            deterministic: _,
            rules: _,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)
    }
}

impl Sequence {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            ty: _,
            start: _,
            increment: _,
            min: _,
            max: _,
            cache: _,
            cycle: _,
            unlogged: _,
            owned_by,
            comment: _,
            place: _,
        } = self;
        names(schema.iter_mut().chain([name]), visit)?;
        if let Some(OwnedBy {
            table,
            schema,
            column,
        }) = owned_by
        {
            names(schema.iter_mut().chain([table, column]), visit)?;
        }
        Ok(())
    }
}

impl Table {
    pub(crate) fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            schema,
            comment: _,
            unlogged: _,
            with: _,
            partition_by,
            inherits,
            columns,
            primary_key,
            uniques,
            foreign_keys,
            checks,
            exclusions,
            indexes,
            place: _,
            enum_types,
        } = self;
        names(schema.iter_mut().chain([name]), visit)?;
        sql(inherits.iter_mut().chain(partition_by), visit)?;
        columns.iter_mut().try_for_each(|it| it.texts(visit))?;
        primary_key.iter_mut().try_for_each(|it| it.texts(visit))?;
        uniques.iter_mut().try_for_each(|it| it.texts(visit))?;
        foreign_keys.iter_mut().try_for_each(|it| it.texts(visit))?;
        for check in checks {
            let Check {
                name,
                expression,
                no_inherit: _,
                not_valid: _,
                not_enforced: _,
                comment: _,
            } = check;
            given(name, visit)?;
            visit(Text::Sql(expression))?;
        }
        exclusions.iter_mut().try_for_each(|it| it.texts(visit))?;
        indexes.iter_mut().try_for_each(|it| it.texts(visit))?;
        enum_types.iter_mut().try_for_each(|it| it.texts(visit))
    }
}

impl Column {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            ty,
            nullable: _,
            default,
            generated,
            is_virtual: _,
            identity,
            serial: _,
            collation,
            physical: _,
            comment: _,
            enum_type,
        } = self;
        visit(Text::Name(name))?;
        let optional = [default, generated, collation];
        sql(optional.into_iter().flatten().chain([ty]), visit)?;
        if let Some(Identity { sequence, .. }) = identity.as_deref_mut() {
            names(sequence, visit)?;
        }
        enum_type.iter_mut().try_for_each(|it| it.texts(visit))
    }
}

impl PrimaryKey {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            columns,
            without_overlaps: _,
            include,
            deferrable: _,
            initially_deferred: _,
            with: _,
            comment: _,
            index_comment: _,
        } = self;
        given(name, visit)?;
        names(columns.iter_mut().chain(include), visit)
    }
}

impl Unique {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            columns,
            without_overlaps: _,
            include,
            nulls_not_distinct: _,
            deferrable: _,
            initially_deferred: _,
            with: _,
            comment: _,
            index_comment: _,
        } = self;
        given(name, visit)?;
        names(columns.iter_mut().chain(include), visit)
    }
}

impl ForeignKey {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            columns,
            references,
            on_delete: _,
            on_update: _,
            on_delete_columns,
            match_type: _,
            deferrable: _,
            initially_deferred: _,
            not_valid: _,
            not_enforced: _,
            period: _,
            comment: _,
        } = self;
        given(name, visit)?;
        let References {
            schema,
            table,
            columns: targets,
        } = references;
        names(schema.iter_mut().chain([table]), visit)?;
        let columns = columns.iter_mut().chain(targets);
        names(columns.chain(on_delete_columns), visit)
    }
}

impl Exclusion {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            method: _,
            elements,
            include,
            predicate,
            deferrable: _,
            initially_deferred: _,
            with: _,
            comment: _,
            index_comment: _,
        } = self;
        given(name, visit)?;
        elements.iter_mut().try_for_each(|it| it.texts(visit))?;
        names(include, visit)?;
        sql(predicate, visit)
    }
}

impl Index {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            name,
            unique: _,
            method: _,
            elements,
            include,
            predicate,
            nulls_not_distinct: _,
            with: _,
            statistics: _,
            comment: _,
        } = self;
        given(name, visit)?;
        elements.iter_mut().try_for_each(|it| it.texts(visit))?;
        names(include, visit)?;
        sql(predicate, visit)
    }
}

impl Element {
    fn texts<E>(&mut self, visit: &mut TextVisitor<'_, E>) -> Result<(), E> {
        let Self {
            column,
            expression,
            operator: _,
            opclass,
            collation,
            order: _,
            nulls: _,
        } = self;
        names(column, visit)?;
        sql(
            [expression, opclass, collation].into_iter().flatten(),
            visit,
        )
    }
}
