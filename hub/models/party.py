"""Parties to a case: the blocks of fields that the kinds share, and the tables that find a person again.

A person is matched by keyed hashes (id number; else phone with name), never by plaintext.
"""

from uuid import UUID

from sqlalchemy import Column, LargeBinary, text
from sqlmodel import Field, SQLModel

from hub.models.base import Governed
from hub.models.codes import Document, Relation, Sex
from hub.models.fields import Category, Pii, governed
from hub.models.values import IdNumber, PastDay, Phone, Short, Text

C = Category


class VictimPart(Governed):
    victim_name: Short | None = governed(C.victim, "受害人姓名", pii=Pii.name, lookup="victim.name")
    victim_id_number: IdNumber | None = governed(
        C.victim, "受害人身份证号", pii=Pii.id_number, lookup="victim.id_number"
    )
    victim_document: Document | None = governed(C.victim, "受害人其他证件种类", pii=Pii.code)
    victim_document_number: Short | None = governed(C.victim, "受害人其他证件号码")
    victim_birth_date: PastDay | None = governed(C.victim, "受害人出生日期", pii=Pii.date, lookup="victim.birth_date")
    victim_sex: Sex | None = governed(C.victim, "受害人性别", pii=Pii.code)
    victim_ethnicity: Short | None = governed(C.victim, "受害人民族")
    victim_occupation: Short | None = governed(C.victim, "受害人职业")
    victim_marital_status: Short | None = governed(C.victim, "受害人婚姻状况")
    victim_education: Short | None = governed(C.victim, "受害人文化程度")
    victim_phone: Phone | None = governed(C.contact, "受害人电话", pii=Pii.phone, lookup="victim.phone")
    victim_safe_times: Text | None = governed(C.contact, "可安全联系的时间")
    victim_safe_ways: Text | None = governed(C.contact, "可安全联系的方式")
    victim_address: Short | None = governed(C.whereabouts, "受害人现住址")
    victim_registered_address: Short | None = governed(C.whereabouts, "受害人户籍地址")
    victim_workplace: Short | None = governed(C.whereabouts, "受害人工作单位")
    victim_school: Short | None = governed(C.whereabouts, "受害人就读学校")


class RespondentPart(Governed):
    respondent_name: Short | None = governed(C.respondent, "加害人姓名", pii=Pii.name, lookup="respondent.name")
    respondent_id_number: IdNumber | None = governed(
        C.respondent, "加害人身份证号", pii=Pii.id_number, lookup="respondent.id_number"
    )
    respondent_document: Document | None = governed(C.respondent, "加害人其他证件种类", pii=Pii.code)
    respondent_document_number: Short | None = governed(C.respondent, "加害人其他证件号码")
    respondent_birth_date: PastDay | None = governed(
        C.respondent, "加害人出生日期", pii=Pii.date, lookup="respondent.birth_date"
    )
    respondent_sex: Sex | None = governed(C.respondent, "加害人性别", pii=Pii.code)
    respondent_ethnicity: Short | None = governed(C.respondent, "加害人民族")
    respondent_marital_status: Short | None = governed(C.respondent, "加害人婚姻状况")
    respondent_education: Short | None = governed(C.respondent, "加害人文化程度")
    respondent_phone: Phone | None = governed(C.respondent, "加害人电话", pii=Pii.phone, lookup="respondent.phone")
    respondent_address: Short | None = governed(C.respondent, "加害人住址")
    respondent_registered_address: Short | None = governed(C.respondent, "加害人户籍地址")
    respondent_workplace: Short | None = governed(C.respondent, "加害人工作单位")
    respondent_occupation: Short | None = governed(C.respondent, "加害人职业")
    respondent_state_employee: bool | None = governed(C.respondent, "加害人是否国家工作人员")
    respondent_key_person: bool | None = governed(C.respondent, "加害人是否重点人员")
    relation: Relation | None = governed(C.respondent, "加害人与受害人关系", pii=Pii.code)


class Child(Governed):
    name: Short | None = governed(C.minor, "姓名", pii=Pii.name)
    id_number: IdNumber | None = governed(C.minor, "身份证号", pii=Pii.id_number)
    birth_date: PastDay | None = governed(C.minor, "出生日期", pii=Pii.date)
    sex: Sex | None = governed(C.minor, "性别", pii=Pii.code)
    phone: Phone | None = governed(C.minor, "电话", pii=Pii.phone)
    address: Short | None = governed(C.minor, "住址")
    school: Short | None = governed(C.minor, "就读学校")
    guardian: Short | None = governed(C.minor, "监护人", pii=Pii.name)
    guardian_phone: Phone | None = governed(C.minor, "监护人电话", pii=Pii.phone)
    state: Text | None = governed(C.minor, "身心状况")


class ChildrenPart(Governed):
    children: list[Child] | None = governed(C.minor, "未成年人", lookup="child", max_length=20)


class ReporterPart(Governed):
    reporter_name: Short | None = governed(C.reporter, "报案人姓名", pii=Pii.name, lookup="reporter.name")
    reporter_sex: Sex | None = governed(C.reporter, "报案人性别", pii=Pii.code)
    reporter_birth_date: PastDay | None = governed(C.reporter, "报案人出生日期", pii=Pii.date)
    reporter_phone: Phone | None = governed(C.reporter, "报案人电话", pii=Pii.phone, lookup="reporter.phone")
    reporter_id_number: IdNumber | None = governed(
        C.reporter, "报案人身份证号", pii=Pii.id_number, lookup="reporter.id_number"
    )
    reporter_address: Short | None = governed(C.reporter, "报案人住址")
    reporter_relation: Short | None = governed(C.reporter, "报案人与受害人关系")


class PartiesPart(VictimPart, RespondentPart, ChildrenPart):
    """Victim, respondent and children: what nearly every form opens with."""


class PartyKey(SQLModel, table=True):
    """A keyed hash by which a party to a case is found again: kinds `id`, `phone`, `name_birth`.

    Beside a phone stands the hash of phone with name (`named`), else nothing: a phone alone makes nobody the same.
    `person_id` is the same wherever the person was recognised. `record_id` is the record that names the party: a
    correction takes back what its record said, not what another says too. What does not `find` leads no further record
    to the case (`filing.Filing.proven`). No foreign keys: case and keys are written by
    one statement under ids made for it, cases are never deleted, and six look-ups a submission would only repeat that.
    """

    __tablename__ = "party_key"

    key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    case_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    named: bytes = Field(sa_column=Column(LargeBinary, primary_key=True, server_default=text("''")))
    record_id: UUID = Field(primary_key=True)
    kind: str
    person_id: UUID
    finds: bool = Field(default=True, sa_column_kwargs={"server_default": text("TRUE")})
