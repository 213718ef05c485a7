{# Raw keeps every load. This gives the rows of the last load of each origin (a file or a table). #}
{% macro current_rows(raw) %}(
    select * from {{ raw }}
    where (_origin, _load) in (select (_origin, arg_max(_load, rowid)) from {{ raw }} group by _origin)
){% endmacro %}
