//! The macro behind the registry: one closed enum of objects, and dispatch to their kinds.

macro_rules! kinds {
    ($($module:ident::$Type:ident = $name:literal,)*) => {
        $(
            pub use $module::$Type;

            impl From<$Type> for Object {
                fn from(it: $Type) -> Self {
                    Self::$Type(Box::new(it))
                }
            }
        )*

        /// The kinds, in the order in which they are read and compared.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum KindTag {
            $(
                #[doc = concat!("`", $name, "`")]
                $Type,
            )*
        }

        impl KindTag {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$Type,)*];

            /// The name in messages, files and filters.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Type => $name,)* }
            }

            /// Whether columns can be of it.
            const fn is_type(self) -> bool {
                match self { $(Self::$Type => <$Type as Kind>::IS_TYPE,)* }
            }

            /// The one catalog statement of this kind, for a server of this `server_version_num`.
            pub fn catalog_sql(self, version: u32) -> String {
                match self { $(Self::$Type => <$Type as Kind>::catalog_sql(version),)* }
            }

            /// How `COMMENT ON` and messages address the object under a key of this kind.
            pub fn address(self, key: &Key) -> String {
                match self { $(Self::$Type => <$Type as Kind>::address(key),)* }
            }

            /// When an object of this kind is created.
            pub fn create_stage(self) -> Stage {
                match self { $(Self::$Type => <$Type as Kind>::CREATE,)* }
            }

            /// When an object of this kind is altered.
            pub fn alter_stage(self) -> Stage {
                match self { $(Self::$Type => <$Type as Kind>::ALTER,)* }
            }

            /// When an object of this kind is dropped.
            pub fn drop_stage(self) -> Stage {
                match self { $(Self::$Type => <$Type as Kind>::DROP,)* }
            }

            /// How an object of this kind is replaced.
            pub fn replacement(self) -> Replacement {
                match self { $(Self::$Type => <$Type as Kind>::REPLACEMENT,)* }
            }

            /// Whether an object of this kind that only changed its name is renamed without being asked.
            pub fn renames(self) -> bool {
                match self { $(Self::$Type => <$Type as Kind>::RENAMES,)* }
            }

            /// About how long reading them takes next to other kinds.
            pub fn reading(self) -> u32 {
                match self { $(Self::$Type => <$Type as Kind>::READING,)* }
            }

            /// An empty collector for rows of this kind.
            pub fn collector(self) -> Collector {
                match self { $(Self::$Type => Collector::$Type(Vec::new(), Vec::new()),)* }
            }
        }

        /// Objects of one kind, while its rows are read: those that further rows may add to, and those that are complete.
        #[derive(Debug)]
        pub enum Collector {
            $(
                #[doc = concat!("Objects of kind `", $name, "`.")]
                $Type(Vec<$Type>, Vec<Object>),
            )*
        }

        impl Collector {
            /// Reads one row.
            ///
            /// # Errors
            /// If the row does not read as the kind's statement promises.
            pub fn row(&mut self, fields: &mut Fields<'_>) -> Result<(), DecodeError> {
                /// Objects move to where they stay in portions, so that a large kind is not held twice.
                const PORTION: usize = 1024;
                match self {
                    $(Self::$Type(acc, complete) => {
                        if acc.len() >= PORTION {
                            let last = acc.len() - 1;
                            complete.extend(acc.drain(..last).map(Object::from));
                        }
                        <$Type as Kind>::decode(fields, acc)
                    })*
                }
            }

            /// The objects read.
            pub fn finish(self, acc: &mut Schema) {
                match self {
                    $(Self::$Type(rest, complete) => acc.extend(complete.into_iter().chain(rest.into_iter().map(Object::from))),)*
                }
            }
        }

        /// An object of any kind, in a box: a schema holds many, and the kinds differ much in size.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind")]
        pub enum Object {
            $(
                #[doc = concat!("`", $name, "`")]
                #[serde(rename = $name)]
                $Type(Box<$Type>),
            )*
        }

        impl Object {
            /// The key.
            pub fn key(&self) -> Key {
                match self { $(Self::$Type(it) => it.key(),)* }
            }

            /// The kind.
            pub fn kind(&self) -> KindTag {
                match self { $(Self::$Type(_) => KindTag::$Type,)* }
            }

            /// What it is a part of, and is dropped with.
            pub fn parent(&self) -> Option<Key> {
                match self { $(Self::$Type(it) => it.parent(),)* }
            }

            /// What decides whether it is managed.
            pub fn managed_with(&self, current: &Schema) -> Option<Key> {
                match self { $(Self::$Type(it) => it.managed_with(current),)* }
            }

            /// What it is dropped with by PostgreSQL itself.
            pub fn goes_with(&self, current: &Schema) -> Option<Key> {
                match self { $(Self::$Type(it) => it.goes_with(current),)* }
            }

            /// What has to be there before it: its parent and what its kind adds.
            pub fn depends_on(&self, schema: &Schema) -> BTreeSet<Key> {
                let mut acc = BTreeSet::new();
                match self { $(Self::$Type(it) => it.depends_on(schema, &mut acc),)* }
                acc.extend(self.parent());
                usage::add_inherited(schema, &mut acc);
                acc.remove(&self.key());
                acc
            }

            /// What of it only newer servers have.
            pub fn newer(&self) -> Vec<Since> {
                match self { $(Self::$Type(it) => it.newer(),)* }
            }

            fn compare(current: &Self, desired: &Self) -> Difference {
                match (current, desired) {
                    $((Self::$Type(current), Self::$Type(desired)) => $Type::compare(current, desired),)*
                    _ => {
                        let mut it = Difference::default();
                        it.unsupported_because("the two states are of different kinds");
                        it
                    }
                }
            }

            /// One line that describes it, beginning with the kind's name.
            pub fn summary(&self) -> String {
                match self { $(Self::$Type(it) => it.summary(),)* }
            }

            /// Writes what creates it.
            pub fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
                match self { $(Self::$Type(it) => it.create(ctx, acc),)* }
            }

            /// What creating it makes, where that differs from it.
            pub fn as_created(&self) -> Option<Self> {
                match self { $(Self::$Type(it) => it.as_created().map(Self::from),)* }
            }

            /// Writes what lets go of the current state early, where others wait for that.
            pub fn release(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
                $(if let (Self::$Type(current), Self::$Type(desired)) = (current, desired) {
                    <$Type as Kind>::release(current, desired, ctx, acc);
                })*
            }

            /// Writes what alters it.
            pub fn alter(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
                $(if let (Self::$Type(current), Self::$Type(desired)) = (current, desired) {
                    <$Type as Kind>::alter(current, desired, ctx, acc);
                })*
            }

            /// Writes what drops it.
            pub fn drop(&self, ctx: &Context<'_>, acc: &mut Script) {
                match self { $(Self::$Type(it) => <$Type as Kind>::drop(it, ctx, acc),)* }
            }

            /// Writes what renames it.
            pub fn rename(current: &Self, desired: &Self, acc: &mut Script) {
                $(if let (Self::$Type(current), Self::$Type(desired)) = (current, desired) {
                    <$Type as Kind>::rename(current, desired, acc);
                })*
            }

            /// The same object under another key of its kind.
            #[must_use]
            pub fn with_key(&self, key: &Key) -> Self {
                match self { $(Self::$Type(it) => it.with_key(key).into(),)* }
            }

            /// Its text inside the `CREATE` statement of its parent, if it can stand there.
            pub fn inline(&self) -> Option<String> {
                match self { $(Self::$Type(it) => it.inline(),)* }
            }

            /// What only one part inside a `CREATE TABLE` can say; the others that say it are created by themselves.
            pub fn merged(&self) -> Option<String> {
                match self { $(Self::$Type(it) => it.merged(),)* }
            }

            /// Where it stands among the inline parts of its kind.
            pub fn position(&self) -> i64 {
                match self { $(Self::$Type(it) => it.position(),)* }
            }

            /// Whether a state may have it or not without anybody having said so; then it is no difference.
            pub fn is_implied(&self, schema: &Schema) -> bool {
                match self { $(Self::$Type(it) => it.is_implied(schema),)* }
            }

            /// The places it holds.
            pub fn slots(&self) -> Vec<Slot> {
                match self { $(Self::$Type(it) => it.slots(),)* }
            }

            /// What it does when something it depends on changes while it stays the same.
            pub fn react(&self, event: Event) -> Reaction {
                match self { $(Self::$Type(it) => it.react(event),)* }
            }

            /// What altering it in place means for those that depend on it.
            pub fn event(current: &Self, desired: &Self) -> Option<Event> {
                $(if let (Self::$Type(current), Self::$Type(desired)) = (current, desired) {
                    return <$Type as Kind>::event(current, desired);
                })*
                None
            }

            /// What has to be built anew for this to be possible, because of what uses it in the current schema, and
            /// why. `current` is `None` where it is created.
            pub fn obstacle(current: Option<&Self>, desired: &Self, schema: &Schema) -> Option<(Key, &'static str)> {
                match desired {
                    $(Self::$Type(desired) => {
                        let current = match current {
                            Some(Self::$Type(it)) => Some(&**it),
                            _ => None,
                        };
                        <$Type as Kind>::obstacle(current, desired, schema)
                    })*
                }
            }

            /// Lends out every name in it.
            pub fn names(&mut self, visit: &mut NameVisitor<'_>) {
                match self { $(Self::$Type(it) => it.names(visit),)* }
            }

            /// What of the live database would make the server refuse to drop it.
            pub fn holders(&self, facts: &Facts) -> Vec<Holder> {
                match self { $(Self::$Type(it) => it.holders(facts),)* }
            }

            /// Its expressions.
            pub fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
                match self { $(Self::$Type(it) => it.expressions(),)* }
            }

            /// Its types.
            pub fn types(&mut self) -> Vec<&mut SqlType> {
                match self { $(Self::$Type(it) => it.types(),)* }
            }

            /// Writes what renames it aside.
            pub fn move_aside(&self, acc: &mut Script) {
                match self { $(Self::$Type(it) => it.move_aside(acc),)* }
            }

            /// Writes what drops its old self.
            pub fn drop_aside(&self, ctx: &Context<'_>, acc: &mut Script) {
                match self { $(Self::$Type(it) => it.drop_aside(ctx, acc),)* }
            }
        }
    };
}

pub(crate) use kinds;
