{# The year in the name of the file that a row came from: clubs_2024.json. #}
{% macro year_of_origin() %}regexp_extract(_origin, '(\d{4})\D*$', 1)::integer{% endmacro %}
