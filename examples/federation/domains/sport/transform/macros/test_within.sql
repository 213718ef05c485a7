{# A value lies between two others; leave one out for no limit. An empty value is no fault here: not_null asks for that. #}
{% test within(model, column_name, least=none, most=none) %}
select {{ column_name }}
from {{ model }}
where {% if least is not none %}{{ column_name }} < {{ least }}{% else %}false{% endif %}
   or {% if most is not none %}{{ column_name }} > {{ most }}{% else %}false{% endif %}
{% endtest %}
