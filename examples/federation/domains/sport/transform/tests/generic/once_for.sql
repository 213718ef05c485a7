{# Fails for each value that is there twice with the same `also`: `unique` for a key of two columns. #}
{% test once_for(model, column_name, also) %}
select {{ column_name }}, {{ also }}, count(*) as times from {{ model }} group by all having count(*) > 1
{% endtest %}
