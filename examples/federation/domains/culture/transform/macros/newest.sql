{# The newest version of each line of a table that is loaded by cursor: each load brings only what changed, as a new version. #}
{% macro newest(raw, key) %}(
    select * from {{ raw }}
    qualify row_number() over (partition by {{ key }} order by updated_at desc, rowid desc) = 1
){% endmacro %}
