{# Where loads keep only what differs: the newest version of each key that is still there. #}
{% macro current_keys(raw, key) %}(
    select * from (select * from {{ raw }} qualify row_number() over (partition by {{ key }} order by rowid desc) = 1)
    where _change is distinct from 'removed'
){% endmacro %}
