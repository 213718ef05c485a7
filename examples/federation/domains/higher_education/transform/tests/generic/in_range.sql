{# Fails for each value below `lowest` or above `highest`. #}
{% test in_range(model, column_name, lowest, highest) %}
select * from {{ model }} where {{ column_name }} not between {{ lowest }} and {{ highest }}
{% endtest %}
