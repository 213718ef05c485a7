{# The year in the name of the file that a row came from: subventions_2024.xlsx. #}
{% macro year_of_origin() %}regexp_extract(_origin, '(\d{4})\D*$', 1)::integer{% endmacro %}
