"""A condition on the elements of a list that is stored as JSON: ``tags`` with one whose ``id`` is "class"."""

from django.db import models
from django.db.models.expressions import Expression

SIGNS = {"exact": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class AnyElement(Expression):
    """True for rows whose list has an element for which all comparisons hold.

    Args:
        column: the field, perhaps of a related row: ``order__consumer``.
        within: the property of the column that is the list, "" when the column is it.
        comparisons: ``[(property of an element, "" for the element itself; lookup; text or list of texts; negated)]``.
            The properties are names of ours, never of a client.
    """

    output_field = models.BooleanField()
    conditional = True

    def __init__(self, column, within, comparisons):
        super().__init__()
        self.column, self.within, self.comparisons = models.F(column), within, comparisons

    def get_source_expressions(self):
        return [self.column]

    def set_source_expressions(self, expressions):
        (self.column,) = expressions

    def as_sql(self, compiler, connection):
        is_postgresql = connection.vendor == "postgresql"
        column, parameters = compiler.compile(self.column)
        if is_postgresql:
            items = f"({column} -> '{self.within}')" if self.within else column
            # Twice: what is no list has no elements, and the function fails on it.
            source = (
                f"jsonb_array_elements(CASE jsonb_typeof({items}) WHEN 'array' THEN {items} ELSE '[]' END)"
            )
            source, parameters = f"{source} AS element (value)", [*parameters, *parameters]
        else:
            place = f", '$.{self.within}'" if self.within else ""
            source, parameters = f"json_each({column}{place}) AS element", list(parameters)
        conditions = []
        for name, lookup, wanted, is_negated in self.comparisons:
            sql, values = self._compare(name, lookup, wanted, is_postgresql, connection)
            conditions.append(f"NOT ({sql})" if is_negated else sql)
            parameters += values
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"EXISTS (SELECT 1 FROM {source}{where})", parameters  # noqa: S608 - names of ours, values are parameters

    @staticmethod
    def _compare(name, lookup, wanted, is_postgresql, connection):
        if is_postgresql:
            value = f"element.value ->> '{name}'" if name else "element.value #>> '{}'"
        else:
            inner = f"CASE element.type WHEN 'object' THEN json_extract(element.value, '$.{name}') END"
            value = inner if name else "element.value"
        value = f"COALESCE({value}, '')"
        if lookup == "in":
            return (f"{value} IN ({', '.join(['%s'] * len(wanted))})", wanted) if wanted else ("1 = 0", [])
        if lookup == "icontains":
            pattern = f"%{connection.ops.prep_for_like_query(wanted)}%"
            return f"UPPER({value}) LIKE UPPER(%s) ESCAPE '\\'", [pattern]
        return f"{value} {SIGNS[lookup]} %s", [wanted]
