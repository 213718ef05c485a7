"""The database of the register: schools, pupils, staff and entries, in one piece."""

from __future__ import annotations

DDL = """
create table schools (
  school_id integer primary key, name text not null, network text not null, level text not null,
  street text, postcode text, nis_code text, opened_on date, updated_at timestamptz not null);
create table pupils (
  pupil_id integer primary key, school_id integer not null references schools, national_number text not null,
  last_name text not null, first_name text not null, sex text not null, birth_date date not null, grade text not null,
  philosophy_course text, street text, postcode text, nis_code text, remark text, left_on date, updated_at timestamptz not null);
create table staff (
  staff_id integer primary key, school_id integer not null references schools, national_number text not null unique,
  last_name text not null, first_name text not null, sex text not null, birth_date date not null, email text, phone text,
  job text not null, hours_per_week numeric(4,1) not null, hired_on date not null, updated_at timestamptz not null);
create table enrolments (
  enrolment_id integer primary key, pupil_id integer not null references pupils, school_id integer not null,
  school_year text not null, grade text not null, entered_on date not null, updated_at timestamptz not null);
create index pupils_by_change on pupils (updated_at);
create index enrolments_by_change on enrolments (updated_at);
"""
"""A school that closes leaves the register, its entries stay: `enrolments.school_id` refers to nothing."""
