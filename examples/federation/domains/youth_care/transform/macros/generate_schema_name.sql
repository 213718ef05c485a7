{# A model's schema is its zone, bronze or silver or gold, and nothing in front of it. #}
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}
