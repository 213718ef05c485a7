{# A day or month as written in French, '1er mars 2024' or 'mars 2024', as a date; the first of the month without a day. #}
{% macro french_day(text) %}make_date(
    regexp_extract({{ text }}, '(\d{4})\s*$', 1)::integer,
    list_position(
        ['janvier', 'février', 'mars', 'avril', 'mai', 'juin', 'juillet', 'août', 'septembre', 'octobre', 'novembre', 'décembre'],
        lower(regexp_extract({{ text }}, '([[:alpha:]éûÉÛ]+)\s+\d{4}\s*$', 1))
    ),
    coalesce(nullif(regexp_extract({{ text }}, '^\s*(\d{1,2})', 1), ''), '1')::integer
){% endmacro %}
