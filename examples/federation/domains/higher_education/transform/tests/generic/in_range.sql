{# Fails for each row whose value is below `least` or above `most`: data_tests: [{in_range: {arguments: {least: 0, most: 12}}}] #}
{% test in_range(model, column_name, least, most) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not between {{ least }} and {{ most }}
{% endtest %}
